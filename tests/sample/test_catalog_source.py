"""Which catalogue the environment selects."""

from __future__ import annotations

import asyncio

import pytest
from catalog_service import CatalogService

from mcp_server.sample.catalog import CatalogMisconfigured
from mcp_server.sample.embedded import EmbeddedCatalog
from mcp_server.sample.remote import RemoteCatalog
from mcp_server.sample.source import catalog_from


@pytest.mark.parametrize("environ", [{}, {"API_BASE_URL": ""}, {"API_BASE_URL": " "}, {"API_KEY": "k"}], ids=str)
def test_without_an_address_the_embedded_catalogue_answers(environ: dict[str, str]) -> None:
    assert isinstance(catalog_from(environ), EmbeddedCatalog)


def test_with_an_address_the_service_there_answers() -> None:
    assert isinstance(catalog_from({"API_BASE_URL": "https://example.com"}), RemoteCatalog)


@pytest.mark.parametrize(
    ("environ", "name", "sent"),
    [
        ({}, "Authorization", None),
        ({"API_KEY": "k"}, "Authorization", "Bearer k"),
        ({"API_KEY": "k", "API_KEY_HEADER": "authorization"}, "authorization", "Bearer k"),
        ({"API_KEY": "k", "API_KEY_HEADER": "X-Api-Key"}, "X-Api-Key", "k"),
        ({"API_KEY": "k", "API_KEY_HEADER": "X-Api-Key", "API_KEY_SCHEME": "Key"}, "X-Api-Key", "Key k"),
        ({"API_KEY": "k", "API_KEY_SCHEME": ""}, "Authorization", "k"),
        ({"API_KEY": "k", "API_KEY_SCHEME": "Token"}, "Authorization", "Token k"),
    ],
)
def test_the_key_is_sent_as_configured(
    service: CatalogService, environ: dict[str, str], name: str, sent: str | None
) -> None:
    async def main() -> None:
        catalog = catalog_from(environ | {"API_BASE_URL": f" {service.url}/ "})
        await catalog.search("tea")
        await catalog.aclose()

    asyncio.run(main())
    assert service.requests[0][1].get(name) == sent


def test_a_bad_address_is_an_error_that_names_the_setting() -> None:
    with pytest.raises(CatalogMisconfigured, match="API_BASE_URL"):
        catalog_from({"API_BASE_URL": "catalogue.example.com"})
