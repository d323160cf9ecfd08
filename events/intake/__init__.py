"""What every ingest door shares: reading bodies, building rows, deciding who may send, answering what became of it."""
