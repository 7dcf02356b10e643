"""Measurements of this package and of alternatives; in the source tree only."""
