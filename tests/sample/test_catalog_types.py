"""The wire format of the catalogue, and what importing it costs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest
from pydantic import ValidationError

from mcp_server.sample.catalog import (
    MAX_CURSOR_LENGTH,
    MAX_LIMIT,
    MAX_QUERY_LENGTH,
    BadCursor,
    CatalogError,
    CatalogMisconfigured,
    CatalogUnavailable,
    Item,
    ItemNotFound,
    Page,
    check_bounds,
)

ITEM: dict[str, Any] = {
    "id": "kettle",
    "name": "Kettle",
    "category": "kitchen",
    "summary": "Boils water.",
    "description": "A kettle.",
    "priceCents": 2500,
    "currency": "EUR",
    "inStock": True,
    "tags": ["tea"],
}


def test_a_page_is_written_with_items_next_cursor_and_total() -> None:
    page = Page(items=[], next_cursor="abc", total=0)
    assert json.loads(page.model_dump_json()) == {"items": [], "nextCursor": "abc", "total": 0}


def test_a_page_without_a_next_cursor_is_the_last() -> None:
    assert Page.model_validate_json('{"items": [], "total": 0}').next_cursor is None


def test_an_item_reads_what_it_writes() -> None:
    item = Item.model_validate_json(json.dumps(ITEM))
    assert json.loads(item.model_dump_json()) == ITEM


@pytest.mark.parametrize(
    "wrong",
    [
        {"priceCents": "2500"},
        {"priceCents": 25.5},
        {"priceCents": -1},
        {"inStock": 1},
        {"currency": "euro"},
        {"id": ""},
        {"name": "x" * 121},
        {"tags": ["x" * 41]},
        {"tags": "tea"},
    ],
    ids=str,
)
def test_an_item_of_the_wrong_shape_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Item.model_validate_json(json.dumps(ITEM | wrong))


def test_an_unknown_field_is_dropped() -> None:
    item = Item.model_validate_json(json.dumps(ITEM | {"supplierPassword": "hunter2"}))
    assert "hunter2" not in item.model_dump_json()


def test_a_validation_error_does_not_repeat_the_value() -> None:
    with pytest.raises(ValidationError) as caught:
        Item.model_validate_json(json.dumps(ITEM | {"priceCents": "hunter2"}))
    assert "hunter2" not in str(caught.value)


def test_every_field_is_described() -> None:
    for model in (Item, Page):
        for name, schema in model.model_json_schema()["properties"].items():
            assert schema.get("description"), name


@pytest.mark.parametrize(
    "error", [ItemNotFound(), BadCursor(), CatalogUnavailable("down"), CatalogMisconfigured("no")], ids=repr
)
def test_every_failure_is_a_catalog_error(error: Exception) -> None:
    assert isinstance(error, CatalogError)
    assert str(error)


def test_the_detail_of_a_failure_is_a_note_and_not_in_the_message() -> None:
    error = CatalogUnavailable("down", detail="HTTP status 500")
    assert str(error) == "down"
    assert error.__notes__ == ["HTTP status 500"]


def test_the_bounds_themselves_are_within_bounds() -> None:
    check_bounds("q" * MAX_QUERY_LENGTH, MAX_LIMIT, "c" * MAX_CURSOR_LENGTH)
    check_bounds("", 1, None)


@pytest.mark.parametrize(("query", "limit"), [("q" * (MAX_QUERY_LENGTH + 1), 1), ("q", 0), ("q", MAX_LIMIT + 1)])
def test_a_query_or_limit_out_of_bounds_is_the_callers_mistake(query: str, limit: int) -> None:
    with pytest.raises(ValueError, match=r"query|limit"):
        check_bounds(query, limit, None)


def test_a_cursor_that_is_too_long_is_a_bad_cursor() -> None:
    with pytest.raises(BadCursor):
        check_bounds("q", 1, "c" * (MAX_CURSOR_LENGTH + 1))


def test_importing_the_types_and_the_embedded_catalogue_loads_neither_sqlite_nor_httpx2() -> None:
    script = (
        "import sys, mcp_server.sample.catalog, mcp_server.sample.source as source;"
        "source.catalog_from({});"
        "print(sorted({'sqlite3', 'httpx2'} & set(sys.modules)))"
    )
    unmeasured = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    done = subprocess.run(  # not measured, since measuring loads sqlite3
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60, env=unmeasured
    )
    assert done.stdout.strip() == "[]"
