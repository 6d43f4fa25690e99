"""The resource server: it checks the tokens."""
