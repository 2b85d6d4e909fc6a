"""Fitting a face model to what was seen."""
