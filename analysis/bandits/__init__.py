"""Bandits: learn from what units earned, move shares, and say at the end what is known in spite of it."""
