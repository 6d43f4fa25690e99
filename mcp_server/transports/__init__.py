"""The ways in: bytes to requests, answers to bytes. Nothing here knows what a tool or a schema is."""
