"""What clients read first (RFC 8414), wherever they look for it, and never by a redirect.

An issuer without a path has one address for its metadata. Clients ask at others as well: some put the path of the MCP
endpoint behind it or in front of it, some ask for OpenID's document. All of them get the same text, in which `issuer`
is what the protected resource's metadata names, letter by letter.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from pydantic_core import to_json

from mcp_server.oauth.server.assertions import ALGORITHMS
from mcp_server.oauth.server.client import CODE, CREDENTIALS, METHODS, REFRESH
from mcp_server.oauth.server.options import ServerOptions

AUTHORIZE: Final = "/authorize"
TOKEN: Final = "/token"  # noqa: S105 - a path
REGISTER: Final = "/register"
REVOKE: Final = "/revoke"
INTROSPECT: Final = "/introspect"

_NAMES: Final = ("oauth-authorization-server", "openid-configuration")


def metadata(options: ServerOptions, *, credentials: bool) -> bytes:
    """The document; `credentials` if clients can ask in their own name."""
    url = options.public_url
    proving = [each for each in METHODS if each != "none"]
    said: dict[str, Any] = {
        "issuer": options.issuer,
        "authorization_endpoint": url + AUTHORIZE,
        "token_endpoint": url + TOKEN,
        **({"registration_endpoint": url + REGISTER} if options.registration else {}),
        "revocation_endpoint": url + REVOKE,
        "introspection_endpoint": url + INTROSPECT,
        "scopes_supported": list(options.offered),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": [CODE, REFRESH, *([CREDENTIALS] if credentials else [])],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": list(METHODS),
        "revocation_endpoint_auth_methods_supported": list(METHODS),
        "introspection_endpoint_auth_methods_supported": proving,
        "authorization_response_iss_parameter_supported": True,
        "client_id_metadata_document_supported": options.documents,
    }
    for endpoint in ("token", "revocation", "introspection"):
        said[f"{endpoint}_endpoint_auth_signing_alg_values_supported"] = list(ALGORITHMS)
    return to_json(said)


def paths(options: ServerOptions) -> Iterator[str]:
    """Every path at which clients look."""
    resources = (options.path, *options.further_paths)
    inserted = ("", "/", *resources, *(f"{path}/" for path in resources), options.mounted_at)
    for name in _NAMES:
        yield from dict.fromkeys(f"/.well-known/{name}{path}" for path in inserted)
        yield from (f"{path}/.well-known/{name}" for path in resources)
