"""Simulations with a known truth for the kinds that are no ordinary A/B test, through the HTTP doors."""
