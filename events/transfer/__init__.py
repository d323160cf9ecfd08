"""Events from files into the log, and from the log into files."""
