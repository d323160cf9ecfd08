"""The results API: JSON for programs that hold a key with the scope ``read``."""
