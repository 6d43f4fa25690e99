"""What a catalogue is: its items, its pages, the ways in which it can fail, and the two questions it answers.

Must not know where the items live: neither SQLite nor HTTP is imported here. The models are the wire format as well,
in camelCase, so that the tools can return them as they are. The text of every `CatalogError` is written for the
caller: it holds no address, key, query or answer of another service. What only an operator may read travels as a
note on the exception.
"""

from __future__ import annotations

from typing import Annotated, Final, Protocol

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

DEFAULT_LIMIT: Final = 10
MAX_LIMIT: Final = 50
MAX_QUERY_LENGTH: Final = 200
MAX_ID_LENGTH: Final = 128
MAX_CURSOR_LENGTH: Final = 1024


class CatalogError(Exception):
    """The question has no answer; the message may be shown to whoever asked."""


class ItemNotFound(CatalogError):  # noqa: N818 - it reads as what it says
    """There is no item with the id asked for."""

    def __init__(self) -> None:
        super().__init__("No item has this id.")


class BadCursor(CatalogError):  # noqa: N818 - as above
    """The cursor was not given out by this catalogue for this query."""

    def __init__(self) -> None:
        super().__init__("This cursor does not belong to this query. Search again without a cursor.")


class CatalogUnavailable(CatalogError):  # noqa: N818 - as above
    """The catalogue cannot answer now; `detail` is for the log and is not part of the message."""

    def __init__(self, message: str, *, detail: str | None = None) -> None:
        super().__init__(message)
        if detail is not None:
            self.add_note(detail)


class CatalogMisconfigured(CatalogError):  # noqa: N818 - as above
    """The settings describe no catalogue; raised at start-up, before anybody asks."""


class _Document(BaseModel):
    """Strict, frozen, camelCase on the wire; unknown fields of another service are dropped, not passed on."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
        strict=True,
        frozen=True,
        extra="ignore",
        hide_input_in_errors=True,
    )


class ItemSummary(_Document):
    """One line of a search result: enough to choose by."""

    id: str = Field(min_length=1, max_length=MAX_ID_LENGTH, description="Stable id; pass it on to get the item")
    name: str = Field(min_length=1, max_length=120, description="Name as printed on the label")
    category: str = Field(min_length=1, max_length=60, description="Department, such as 'kitchen' or 'books'")
    summary: str = Field(max_length=200, description="What it is, in one sentence")
    price_cents: int = Field(ge=0, description="Price in hundredths of the currency, tax included")
    currency: str = Field(pattern=r"^[A-Z]{3}$", description="ISO 4217 code of the currency")
    in_stock: bool = Field(description="Whether it can be sent today")


class Item(ItemSummary):
    """Everything the catalogue says about one product."""

    description: str = Field(max_length=4000, description="Full text: material, size, use and care")
    tags: tuple[Annotated[str, Field(max_length=40)], ...] = Field(
        max_length=20, description="Words to find related items by"
    )


class Page(_Document):
    """A stretch of search results, best match first."""

    items: list[ItemSummary] = Field(max_length=MAX_LIMIT, description="The results, best match first")
    next_cursor: str | None = Field(
        default=None,
        min_length=1,
        max_length=MAX_CURSOR_LENGTH,
        description="Pass it back with the same query for the next page; null on the last one",
    )
    total: int = Field(ge=0, description="How many items match on all pages together")


class Catalog(Protocol):
    """Answers from any thread and any event loop; every failure that is not a caller's mistake is a `CatalogError`."""

    async def search(self, query: str, limit: int = DEFAULT_LIMIT, cursor: str | None = None) -> Page:
        """The page that `cursor` points at, or the first; a blank query lists everything.

        Raises `BadCursor`, `CatalogUnavailable`, or `ValueError` for a query or limit that is out of bounds.
        """
        ...

    async def get(self, item_id: str) -> Item:
        """The item with exactly this id; raises `ItemNotFound` or `CatalogUnavailable`."""
        ...

    async def aclose(self) -> None:
        """Let go of what is held open; the catalogue may be used again afterwards and then opens anew."""
        ...


def check_bounds(query: str, limit: int, cursor: str | None) -> None:
    """Refuse what no catalogue answers, before any work is done for it; raises as `Catalog.search` does."""
    if len(query) > MAX_QUERY_LENGTH:
        raise ValueError(f"query is longer than {MAX_QUERY_LENGTH} characters")
    if not 1 <= limit <= MAX_LIMIT:
        raise ValueError(f"limit is not between 1 and {MAX_LIMIT}")
    if cursor is not None and len(cursor) > MAX_CURSOR_LENGTH:
        raise BadCursor
