"""Labelling engines."""
