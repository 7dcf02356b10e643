"""Posteriors and their calibration as they are kept: figures, records, studies."""
