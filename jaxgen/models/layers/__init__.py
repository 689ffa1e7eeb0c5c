"""Layers that several models share, a kind a file."""
