"""Pictures as PNG or SVG files. Nothing here knows of runs or models."""
