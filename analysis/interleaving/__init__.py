"""Which ranker do people prefer? Lists shown and items chosen, one vote a unit."""
