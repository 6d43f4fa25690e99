"""What the operator decides about the authorization server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from mcp_server.guards.authority import is_loopback

OFFLINE: Final = "offline_access"
"""The scope by which clients ask for a refresh token; they get one without it, too."""

_SCOPE: Final = frozenset(chr(code) for code in range(0x21, 0x7F)) - set('"\\')


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """How this server issues tokens.

    Raises:
        ValueError: It would not be safe, or not possible.
    """

    public_url: str
    """Under which clients reach this server, and its name as an issuer: https, or http on this machine alone."""
    scopes: tuple[str, ...] = ("read", "write")
    """What can be asked for; what is asked for by clients that name nothing."""
    path: str = "/mcp"
    """Where the protected resource is, under the public URL."""
    further_urls: tuple[str, ...] = ()
    """Other addresses under which clients reach this server, and may name it."""
    further_paths: tuple[str, ...] = ("/mcp/sse",)
    """Further paths that clients may name and that are the same resource."""
    code_lifetime: float = 60
    pending_lifetime: float = 600
    """How many seconds a person has to decide."""
    access_lifetime: int = 3600
    refresh_lifetime: int = 30 * 86_400
    """After how many seconds without use a grant ends."""
    refresh_grace: float = 30
    """For how many seconds a refresh token that was just used works again: clients ask twice at the same time."""
    revocation_delay: float = 5
    """For how many seconds one process may not hear that another has revoked a token; 0 asks the store each time."""
    registration: bool = True
    registration_key: str | None = None
    """What has to be sent as a bearer token in order to register; None lets everybody."""
    registration_rate: str = "10/minute;200/day"
    """How often one address may register a client."""
    registrations_per_day: int = 1000
    """How many clients may be registered in a day by everybody together."""
    unused_lifetime: float = 86_400
    """After how many seconds a registration ends with which nobody has signed in."""
    client_lifetime: float = 90 * 86_400
    """After how many seconds without use any other registration ends."""
    documents: bool = True
    """Whether an https URL is accepted as a client's id."""
    document_hosts: tuple[str, ...] = ()
    """Whose documents are accepted; empty for everybody's."""
    loopback_documents: bool = False
    """For development: documents may be on this machine, and over http there."""
    rate: str = "60/minute"
    """How often one address may ask all endpoints but the metadata."""

    def __post_init__(self) -> None:
        parts = urlsplit(self.public_url)
        safe = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))
        if not parts.hostname or not safe or parts.query or parts.fragment or "@" in parts.netloc:
            msg = "Tokens travel over https, or over http on this machine alone; set PUBLIC_URL to such an address."
            raise ValueError(msg)
        if self.public_url.endswith("/"):
            msg = "The public URL ends without a slash: clients compare it letter by letter."
            raise ValueError(msg)
        if any(not scope or not _SCOPE.issuperset(scope) for scope in self.scopes):
            msg = "A scope is made of ASCII characters without spaces, quotes and backslashes."
            raise ValueError(msg)
        if not 0 < self.code_lifetime <= 600:  # noqa: PLR2004 - what RFC 6749 allows
            msg = "A code lasts for at most ten minutes."
            raise ValueError(msg)

    @property
    def issuer(self) -> str:
        """How this server calls itself; compared by clients letter by letter."""
        return self.public_url

    @property
    def resource(self) -> str:
        """The resource for which tokens are issued."""
        return self.public_url + self.path

    @property
    def offered(self) -> tuple[str, ...]:
        """Every scope that may be asked for."""
        return tuple(dict.fromkeys((*self.scopes, OFFLINE)))

    @property
    def mounted_at(self) -> str:
        """The path of the public URL; empty if it is a host alone."""
        return urlsplit(self.public_url).path
