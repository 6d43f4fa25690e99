"""OAuth 2.1, in two roles of which each works without the other.

- `resource`: this server is what a token opens. It checks tokens, whoever has issued them.
- `server`: this server issues the tokens, and `login` has the pages that a person meets meanwhile.

`access` is the seam between those who issue and those who check, `approvals` the one between the protocol and the
pages. Nothing here is imported unless OAuth is on.
"""
