"""The sample: a small shop's catalogue, to try a client with and to start one's own server from."""
