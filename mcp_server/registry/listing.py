"""What tools, resources and prompts have in common: how an item introduces itself in a list."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypedDict, TypeVar

from mcp_server.registry.errors import RegistrationError

_SCOPE: Final = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")
_Number = TypeVar("_Number", int, float)

TAGS_KEY: Final = "mcp-server/tags"
"""Where tags stand in an item's `_meta`; the protocol has no place for them and reserves only its own prefixes."""


@dataclass(frozen=True, slots=True)
class Icon:
    """A picture for a list, by its URI; `sizes` such as `48x48` or `any`.

    Clients show no other than `https:` and `data:image/`, which can neither run nor lead into somebody's network.
    """

    src: str
    mime_type: str | None = None
    sizes: tuple[str, ...] = ()
    theme: Literal["light", "dark"] | None = None

    def __post_init__(self) -> None:
        if not self.src.lower().startswith(("https://", "data:image/")):
            raise RegistrationError(f"icon {self.src[:80]!r}: give an address that begins with https:// or data:image/")

    def listing(self) -> dict[str, Any]:
        """The icon as a list shows it."""
        sizes = list(self.sizes) or None
        return without_none({"src": self.src, "mimeType": self.mime_type, "sizes": sizes, "theme": self.theme})


class Labels(TypedDict, total=False):
    """How an author may describe any item."""

    title: str | None
    icons: Iterable[Icon]
    tags: Collection[str]
    scopes: Collection[str]
    meta: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Item:
    """Anything that can be listed."""

    name: str
    title: str | None = None
    description: str | None = None
    icons: tuple[Icon, ...] = ()
    tags: frozenset[str] = frozenset()
    scopes: frozenset[str] = frozenset()
    """What a token must let its bearer do, all of it; never listed."""
    meta: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def listing(self) -> dict[str, Any]:
        """The entry in a list, in the form of the newest version."""
        meta = {**self.meta, TAGS_KEY: sorted(self.tags)} if self.tags else dict(self.meta)
        return without_none(
            {
                "name": self.name,
                "title": self.title,
                "description": self.description,
                "icons": [icon.listing() for icon in self.icons] or None,
                "_meta": meta or None,
            }
        )


class Named(TypedDict):
    """The fields of an `Item`."""

    name: str
    title: str | None
    description: str | None
    icons: tuple[Icon, ...]
    tags: frozenset[str]
    scopes: frozenset[str]
    meta: Mapping[str, Any]


def named(name: str, description: str | None, labels: Labels) -> Named:
    """The fields of an item; raises `RegistrationError` for what no list can show."""
    if not name:
        raise RegistrationError('it needs a name: write `name="..."`')
    tags = labels.get("tags", ())
    if isinstance(tags, str):
        raise RegistrationError(f"tags are a collection: write `tags=[{tags!r}]`")
    return {
        "name": name,
        "title": labels.get("title"),
        "description": description or None,
        "icons": tuple(labels.get("icons", ())),
        "tags": frozenset(tags),
        "scopes": _scopes(labels.get("scopes", ())),
        "meta": dict(labels.get("meta") or {}),
    }


def _scopes(scopes: Collection[str]) -> frozenset[str]:
    if isinstance(scopes, str):
        raise RegistrationError(f"scopes are a collection: write `scopes=[{scopes!r}]`")
    for scope in scopes:
        if not _SCOPE.fullmatch(scope):
            raise RegistrationError(
                f'{scope!r} is no scope: it is made of ASCII letters, digits and signs but " and \\'
            )
    return frozenset(scopes)


def positive(what: str, value: _Number | None) -> _Number | None:
    """A limit as given; raises `RegistrationError` for one that nothing could keep."""
    if value is not None and not value > 0:
        raise RegistrationError(f"`{what}` must be more than 0, or None for the server's own")
    return value


def without_none(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that have a value; the wire has no nulls."""
    return {key: value for key, value in fields.items() if value is not None}
