"""The seam between the authorization server and the pages on which a person decides.

The authorization server checks everything about an authorization request first. What is left is a `Pending` one; the
person's browser is sent to the pages with its id. The pages find out who the person is, ask, and say what was decided;
in return they get the address to which the browser goes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol


@dataclass(frozen=True, slots=True)
class Pending:
    """An authorization request that is in order and waits for a person."""

    id: str
    """Unguessable, and good for one decision."""
    client_id: str
    client_name: str
    """As the client calls itself: to be shown, never to be believed."""
    client_uri: str | None
    known_by: Literal["settings", "document", "registration"]
    """How this server knows the client: by the operator, by the document at its id, by its own registration."""
    redirect_uri: str
    scopes: tuple[str, ...]
    resource: str
    expires: float
    """Seconds since the epoch."""


@dataclass(frozen=True, slots=True)
class Person:
    """Who has signed in."""

    subject: str
    """Lasting and unique at this server: `local:anna`, or the upstream's issuer and subject."""
    name: str = ""
    """To be shown."""


class NotPending(Exception):  # noqa: N818 - it is what has happened
    """There is no such request any more: it has been decided, or too much time has passed."""


class Approvals(Protocol):
    """What the authorization server lets its pages do."""

    async def pending(self, id: str) -> Pending:  # noqa: A002 - it is one
        """Look at a request.

        Raises:
            NotPending: There is none.
        """
        ...

    async def allow(self, id: str, person: Person, scopes: tuple[str, ...] | None = None) -> str:  # noqa: A002
        """The person agrees, to all scopes or to fewer. Gives the address, with a code, to which the browser goes.

        Raises:
            NotPending: There is none.
        """
        ...

    async def refuse(self, id: str) -> str:  # noqa: A002 - it is one
        """The person does not agree. Gives the address, with `access_denied`, to which the browser goes.

        Raises:
            NotPending: There is none.
        """
        ...
