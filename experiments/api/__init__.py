"""The REST API over what is set up: JSON for programs that hold a key with the scope ``read`` or ``write``."""
