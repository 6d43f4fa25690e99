"""The authorization server: it issues the tokens."""
