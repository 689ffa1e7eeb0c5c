"""What a run records of how it was trained: source, settings, versions."""
