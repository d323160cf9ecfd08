"""The REST API's addresses, and what it says of results: JSON for programs that hold a key."""
