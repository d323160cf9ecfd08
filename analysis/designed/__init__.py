"""Results of the kinds that have a design of their own: what they share, and which reader is whose."""
