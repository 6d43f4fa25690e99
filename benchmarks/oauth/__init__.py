"""What a login and a token check cost with each store, of the server as its settings put it together."""
