"""What a run records: its metrics, and how it was trained: source, settings, versions."""
