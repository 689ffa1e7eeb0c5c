"""Harm done to runs, and what they end with."""
