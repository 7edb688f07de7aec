"""Pieces of pods which several component types share."""
