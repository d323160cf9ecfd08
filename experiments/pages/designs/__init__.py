"""Pages of the kinds that are no ordinary A/B test: choose one, set it up, see how an app takes part."""
