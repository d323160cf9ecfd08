"""Scores by example: uploaded for a model version, kept, and compared with another version's."""
