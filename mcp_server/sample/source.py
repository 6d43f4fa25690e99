"""Which catalogue the sample serves: the one in the package, or the service that the environment names.

Must not know how either works; it is the only place that knows both. The environment is passed in.

    API_BASE_URL      address of a catalogue service; without it the embedded catalogue answers
    API_KEY           that service's key, sent with each request; never taken from, or shown to, a caller
    API_KEY_HEADER    header that carries the key, `Authorization` unless set
    API_KEY_SCHEME    word before the key, `Bearer` in `Authorization` and nothing elsewhere unless set
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mcp_server.sample.embedded import EmbeddedCatalog

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mcp_server.sample.catalog import Catalog

_STANDARD_HEADER: Final = "authorization"


def catalog_from(environ: Mapping[str, str]) -> Catalog:
    """The catalogue that these settings describe, not yet opened; raises `CatalogMisconfigured` if they are wrong.

    `API_KEY` alone selects nothing and is ignored: other programs on the same platform use that name as well.
    """
    base_url = environ.get("API_BASE_URL", "").strip()
    if not base_url:
        return EmbeddedCatalog()
    from mcp_server.sample.remote import RemoteCatalog  # noqa: PLC0415 - httpx2 is loaded by those who use it only

    header = environ.get("API_KEY_HEADER", "").strip() or "Authorization"
    usual_scheme = "Bearer" if header.lower() == _STANDARD_HEADER else ""
    return RemoteCatalog(
        base_url,
        environ.get("API_KEY"),
        header=header,
        scheme=environ.get("API_KEY_SCHEME", usual_scheme).strip(),
    )
