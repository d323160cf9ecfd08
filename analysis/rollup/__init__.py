"""Fold the event log into who is enrolled and each unit's totals by day, exactly once, by watermark."""
