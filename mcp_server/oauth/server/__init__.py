"""The authorization server: it registers clients, sends people to the pages, and issues tokens.

    server          put together: `AuthorizationServer(...)` gives routes, an `Approvals` and a `TokenVerifier`
    options         what the operator decides ── configured: the same from the settings
    metadata        what clients read first ── at every address at which they look
    authorize       GET, POST /authorize      a request is checked, kept as pending, and a person is asked
    approving       what the pages may do with a pending request
    token           POST /token               codes, refresh tokens and credentials become tokens
    registering     POST /register            clients that nobody knows yet (RFC 7591)
    ending          POST /revoke, /introspect
    clients         who a client is ── known (settings), registrations (our store), documents (a URL as client id)
    proving         how a client proves who it is ── assertions (private_key_jwt)
    ledger          what the endpoints need to be able to do with grants
    grants          ── the records in our store; `grant` is one of them, and the rules by which it changes
    provider        ── the same for a provider that was written for the official SDK
    verifier        whether a token is good
    redirects, handles, parameters, faults, reaching
                    what all of these need

Must not know the pages, the tools, or who else may issue tokens.
"""

from __future__ import annotations

from mcp_server.oauth.server.options import ServerOptions
from mcp_server.oauth.server.server import AuthorizationServer

__all__ = ["AuthorizationServer", "ServerOptions"]
