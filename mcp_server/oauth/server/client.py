"""Who a client is, and how it describes itself (RFC 7591): one reading for registrations and for documents.

What a client says is either understood and checked, or left out; nothing is kept that nobody here understands.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, cast
from urllib.parse import urlsplit

from mcp_server.oauth.server.faults import Fault
from mcp_server.oauth.server.redirects import fault_in

CODE: Final = "authorization_code"
REFRESH: Final = "refresh_token"
CREDENTIALS: Final = "client_credentials"

SECRET_METHODS: Final = ("client_secret_basic", "client_secret_post")
KEY_METHOD: Final = "private_key_jwt"
METHODS: Final = ("none", *SECRET_METHODS, KEY_METHOD)

KnownBy = Literal["settings", "document", "registration"]

_MOST_REDIRECTS: Final = 20
_MOST_KEYS: Final = 10
_LONGEST_NAME: Final = 200
_PUBLIC_PARTS: Final = ("kty", "kid", "use", "alg", "crv", "x", "y", "n", "e")
_PRIVATE_PARTS: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})


@dataclass(frozen=True, slots=True)
class Client:
    """A program that may ask for tokens."""

    id: str
    name: str = ""
    known_by: KnownBy = "registration"
    redirect_uris: tuple[str, ...] = ()
    method: str = "none"
    """How it proves who it is; `none` for public clients, which cannot."""
    grants: frozenset[str] = frozenset({CODE, REFRESH})
    scopes: tuple[str, ...] | None = None
    """What it may ask for at most; None for everything. Only an operator limits a client."""
    secret: str | None = None
    """The digest of its secret."""
    keys: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)
    """Its public keys, as JSON Web Keys."""
    keys_uri: str | None = None
    uri: str | None = None
    application: Literal["native", "web"] | None = None
    used: float | None = field(default=None, compare=False)
    """When somebody signed in with its registration last, as far as that is noted; seconds since the epoch."""

    @property
    def is_public(self) -> bool:
        """Whether it cannot prove who it is."""
        return self.method == "none"

    def needs(self, grant: str) -> None:
        """Refuse a grant that the client has not registered.

        Raises:
            Fault: It has not.
        """
        if grant not in self.grants:
            raise Fault("unauthorized_client", "The client is not registered for this.")


def described(metadata: Mapping[str, Any], identity: str, known_by: KnownBy) -> Client:
    """The client that describes itself so.

    Raises:
        Fault: `invalid_redirect_uri` or `invalid_client_metadata`.
    """
    grants = _grants(metadata)
    method = _text(metadata, "token_endpoint_auth_method")
    if method is None:
        # RFC 7591 says so for registrations; a document has no place for a secret.
        method = "none" if known_by == "document" else SECRET_METHODS[0]
    if method not in METHODS or (known_by == "document" and method in SECRET_METHODS):
        raise _wrong("token_endpoint_auth_method is not one that this server supports.")
    keys, keys_uri = _keys(metadata), _text(metadata, "jwks_uri")
    if method == KEY_METHOD and not (keys or keys_uri):
        raise _wrong("private_key_jwt needs jwks or jwks_uri.")
    if keys_uri is not None and not keys_uri.startswith("https://"):
        raise _wrong("jwks_uri has to be an https address.")
    if (responses := _texts(metadata, "response_types")) is not None and "code" not in responses:
        raise _wrong("response_types has to contain code.")
    application = _text(metadata, "application_type")
    if application not in {None, "native", "web"}:
        raise _wrong("application_type has to be native or web.")
    return Client(
        id=identity,
        name=_name(metadata),
        known_by=known_by,
        redirect_uris=_redirects(metadata),
        method=method,
        grants=grants,
        keys=keys,
        keys_uri=keys_uri,
        uri=_site(metadata),
        application=cast("Literal['native', 'web'] | None", application),
    )


def _grants(metadata: Mapping[str, Any]) -> frozenset[str]:
    asked = _texts(metadata, "grant_types")
    if not asked:
        # RFC 7591 would have the code alone; clients that name nothing refresh all the same, or else ask people daily.
        return frozenset({CODE, REFRESH})
    if CODE not in asked:
        raise _wrong("grant_types has to contain authorization_code; other grants are for clients of the operator.")
    return frozenset({CODE, REFRESH}) & frozenset(asked)


def _redirects(metadata: Mapping[str, Any]) -> tuple[str, ...]:
    uris = _texts(metadata, "redirect_uris", "invalid_redirect_uri")
    if not uris or len(uris) > _MOST_REDIRECTS:
        raise Fault("invalid_redirect_uri", f"redirect_uris has to be a list of 1 to {_MOST_REDIRECTS} addresses.")
    for position, uri in enumerate(uris, start=1):
        if fault := fault_in(uri):
            raise Fault("invalid_redirect_uri", f"Address {position} of redirect_uris {fault}.")
    return tuple(dict.fromkeys(uris))


def _keys(metadata: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    given: Any = metadata.get("jwks")
    return () if given is None else keys_in(given)


def keys_in(given: Any) -> tuple[Mapping[str, Any], ...]:
    """The public keys in a JSON Web Key Set.

    Raises:
        Fault: It is none, or has a key that should be secret.
    """
    keys: Any = cast("dict[str, Any]", given).get("keys") if isinstance(given, dict) else None
    if not isinstance(keys, list) or not 0 < len(cast("list[Any]", keys)) <= _MOST_KEYS:
        raise _wrong(f"jwks has to have 1 to {_MOST_KEYS} keys.")
    found: list[Mapping[str, Any]] = []
    for key in cast("list[Any]", keys):
        if not isinstance(key, dict) or _PRIVATE_PARTS & cast("dict[str, Any]", key).keys():
            raise _wrong("jwks has to have public keys only.")
        # Only what is understood: the rest could be of any size and form, and is remembered for as long as the client.
        parts = {
            name: value for name in _PUBLIC_PARTS if isinstance(value := cast("dict[str, Any]", key).get(name), str)
        }
        found.append(parts)
    return tuple(found)


def _name(metadata: Mapping[str, Any]) -> str:
    name = _text(metadata, "client_name") or ""
    return "".join(each for each in name if each.isprintable()).strip()[:_LONGEST_NAME]


def _site(metadata: Mapping[str, Any]) -> str | None:
    uri = _text(metadata, "client_uri")
    if uri is None or fault_in(uri) is not None or urlsplit(uri).scheme not in {"http", "https"}:
        return None  # it is shown and never asked, so nothing is lost without it
    return uri


def _text(metadata: Mapping[str, Any], name: str) -> str | None:
    value = metadata.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise _wrong(f"{name} has to be a string.")
    return value


def _texts(metadata: Mapping[str, Any], name: str, error: str = "invalid_client_metadata") -> list[str] | None:
    value = metadata.get(name)
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(each, str) for each in cast("list[Any]", value)):
        raise Fault(error, f"{name} has to be a list of strings.")
    return cast("list[str]", value)


def _wrong(says: str) -> Fault:
    return Fault("invalid_client_metadata", says)
