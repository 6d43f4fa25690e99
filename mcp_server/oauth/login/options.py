"""What the operator decides about the pages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlencode, urlsplit

from mcp_server.settings.meanings import is_loopback

HOURS: Final = 3600


@dataclass(frozen=True, slots=True)
class LoginOptions:
    """How the pages are reached, what they are called, and how long they believe somebody.

    Raises:
        ValueError: The pages would not be safe at this address, or the icon would be fetched from elsewhere.
    """

    public_url: str
    """Where browsers reach this server: https, or http on this machine alone."""
    server_name: str
    icon: str | None = None
    """A `data:` URI; the pages fetch nothing."""
    session_lifetime: int = 8 * HOURS
    """For how many seconds somebody stays signed in, however busy."""
    remember_consent: int = 0
    """For how many seconds somebody may have their consent remembered; 0 asks every time."""
    scope_words: Mapping[str, str] = field(default_factory=dict[str, str])
    """What a scope allows, in words for the person who is asked."""
    describe_scope: Callable[[str], str | None] | None = None
    """The same as a function, asked first."""

    def __post_init__(self) -> None:
        parts = urlsplit(self.public_url)
        if not parts.hostname or (parts.scheme != "https" and not (parts.scheme == "http" and self.is_local)):
            msg = "People sign in over https, or over http on this machine alone; set PUBLIC_URL to such an address."
            raise ValueError(msg)
        if self.icon is not None and not self.icon.startswith("data:image/"):
            msg = "The icon of the sign-in pages is a data: URI, since they load nothing from elsewhere."
            raise ValueError(msg)

    @property
    def is_local(self) -> bool:
        """Whether only this machine is served."""
        return is_loopback(urlsplit(self.public_url).netloc)

    @property
    def is_secure(self) -> bool:
        """Whether browsers come over TLS."""
        return self.public_url.startswith("https:")

    @property
    def origin(self) -> str:
        """What a browser says of our own pages."""
        parts = urlsplit(self.public_url.lower())
        return f"{parts.scheme}://{parts.netloc.removesuffix(':443' if parts.scheme == 'https' else ':80')}"

    def path(self, path: str, **query: str) -> str:
        """The path of one of our pages as a browser sees it; parameters that are empty are left out."""
        base = urlsplit(self.public_url).path.rstrip("/")
        said = urlencode({name: value for name, value in query.items() if value})
        return f"{base}{path}{'?' if said else ''}{said}"

    def url(self, path: str, **query: str) -> str:
        """The whole address of one of our pages."""
        parts = urlsplit(self.public_url)
        return f"{parts.scheme}://{parts.netloc}{self.path(path, **query)}"
