"""Measurements of this package beside others; part of the source tree, not of the package."""
