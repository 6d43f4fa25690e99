"""The clients that the operator has named: in a file or a setting, as JSON.

    [{"client_id": "claude-desktop", "client_name": "Claude", "redirect_uris": ["https://claude.ai/api/mcp/auth_callback"]},
     {"client_id": "nightly", "client_secret_sha256": "…", "grant_types": ["client_credentials"], "scope": "read"}]

A secret is given by its digest alone, so that the file is none. `mcp-server clients add` makes both.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, cast

from pydantic_core import from_json

from mcp_server.oauth.server.client import CODE, CREDENTIALS, KEY_METHOD, REFRESH, SECRET_METHODS, Client, keys_in
from mcp_server.oauth.server.faults import Fault
from mcp_server.oauth.server.redirects import fault_in

FIELDS: Final = frozenset(
    {"client_id", "client_name", "client_secret_sha256", "redirect_uris", "grant_types", "scope", "jwks", "client_uri"}
)
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_ID: Final = re.compile(r"[A-Za-z0-9._~-]{1,128}")
_GRANTS: Final = frozenset({CODE, REFRESH, CREDENTIALS})


def known_clients(text: str) -> tuple[Client, ...]:
    """The clients in a JSON text.

    Raises:
        ValueError: It says something else; the words name the entry and the field, not the value.
    """
    entries = from_json(text)
    if not isinstance(entries, list):
        raise ValueError("must be a JSON array of clients")  # noqa: TRY004 - of whoever has written it
    clients: dict[str, Client] = {}
    for position, entry in enumerate(cast("list[Any]", entries), start=1):
        try:
            client = known_client(entry)
        except (ValueError, Fault) as error:
            raise ValueError(f"has a client, number {position}, that is wrong: {error}") from None
        if client.id in clients:
            raise ValueError(f"has a client, number {position}, whose client_id is there twice")
        clients[client.id] = client
    return tuple(clients.values())


def known_client(entry: Any) -> Client:
    """The client of one entry.

    Raises:
        ValueError: It is none.
        Fault: Its keys are none.
    """
    if not isinstance(entry, dict):
        raise ValueError("it has to be an object")  # noqa: TRY004 - of whoever has written it
    said = cast("dict[str, Any]", entry)
    if unknown := said.keys() - FIELDS:
        raise ValueError(f"there is no field {min(unknown)}")
    identity, secret = said.get("client_id"), said.get("client_secret_sha256")
    if not isinstance(identity, str) or not _ID.fullmatch(identity):
        raise ValueError("client_id has to be letters, digits and . _ ~ -, at most 128")
    if secret is not None and not (isinstance(secret, str) and _DIGEST.fullmatch(secret)):
        raise ValueError("client_secret_sha256 has to be 64 lower-case hexadecimal digits")
    keys = keys_in(said["jwks"]) if "jwks" in said else ()
    grants, redirects = _grants(said), _redirects(said)
    if CREDENTIALS in grants and not (secret or keys):
        raise ValueError("client_credentials needs client_secret_sha256 or jwks")
    if CODE in grants and not redirects:
        raise ValueError("redirect_uris is missing")
    return Client(
        id=identity,
        name=str(said.get("client_name", identity)),
        known_by="settings",
        redirect_uris=redirects,
        method=KEY_METHOD if keys else SECRET_METHODS[0] if secret else "none",
        grants=grants,
        scopes=tuple(str(said["scope"]).split()) if "scope" in said else None,
        secret=secret,
        keys=keys,
        uri=said.get("client_uri"),
    )


def _grants(said: Mapping[str, Any]) -> frozenset[str]:
    asked = frozenset(_strings(said, "grant_types")) or frozenset({CODE, REFRESH})
    if asked - _GRANTS:
        raise ValueError(f"grant_types can be {', '.join(sorted(_GRANTS))}")
    return asked


def _redirects(said: Mapping[str, Any]) -> tuple[str, ...]:
    uris = tuple(_strings(said, "redirect_uris"))
    for uri in uris:
        if fault := fault_in(uri):
            raise ValueError(f"an address of redirect_uris {fault}")
    return uris


def _strings(said: Mapping[str, Any], name: str) -> list[str]:
    value = said.get(name, [])
    if not isinstance(value, list) or not all(isinstance(each, str) for each in cast("list[Any]", value)):
        raise ValueError(f"{name} has to be a list of strings")
    return cast("list[str]", value)
