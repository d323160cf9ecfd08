"""The pages of evidence across experiments."""
