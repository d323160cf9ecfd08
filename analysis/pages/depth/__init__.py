"""A metric's own page: one comparison seen from every side."""
