"""The PostgreSQL channel that tells the edge to look again."""

CHANNEL = "truelift_changed"
