"""The earth as a sample space: its land, the sphere, and generators of points on it."""
