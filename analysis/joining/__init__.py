"""Whether exposures and events meet: units that are never heard of again, and events of units that nobody exposed."""
