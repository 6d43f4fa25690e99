"""The remote catalogue over real HTTP on loopback."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from threading import Event
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from catalog_service import ITEM, PAGE, SUMMARY, Answer, CatalogService, answer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mcp_server.sample.catalog import BadCursor, CatalogMisconfigured, CatalogUnavailable, Item, ItemNotFound, Page
from mcp_server.sample.remote import MAX_ANSWER_BYTES, RemoteCatalog

KEY = "sk-very-secret"


def search(
    service: CatalogService, query: str = "tea", limit: int = 10, cursor: str | None = None, timeout: float = 10.0
) -> Page:
    async def main() -> Page:
        catalog = RemoteCatalog(service.url, KEY, timeout=timeout)
        try:
            return await catalog.search(query, limit, cursor)
        finally:
            await catalog.aclose()

    return asyncio.run(main())


def get(service: CatalogService, item_id: str = "kettle", timeout: float = 10.0) -> Item:
    async def main() -> Item:
        catalog = RemoteCatalog(service.url, KEY, timeout=timeout)
        try:
            return await catalog.get(item_id)
        finally:
            await catalog.aclose()

    return asyncio.run(main())


def refusal(service: CatalogService, timeout: float = 10.0) -> CatalogUnavailable:
    """How a search fails; whatever the way, the message names neither address nor key."""
    with pytest.raises(CatalogUnavailable) as caught:
        search(service, timeout=timeout)
    assert "127.0.0.1" not in str(caught.value)
    assert KEY not in str(caught.value)
    return caught.value


def test_a_page_is_what_the_service_answered(service: CatalogService) -> None:
    page = search(service)
    assert json.loads(page.model_dump_json()) == PAGE


def test_an_item_is_what_the_service_answered(service: CatalogService) -> None:
    service.answers = [answer(ITEM)]
    assert json.loads(get(service).model_dump_json()) == ITEM


def test_the_query_the_limit_and_the_cursor_are_sent(service: CatalogService) -> None:
    search(service, "tea & a/b?#\N{TEAPOT}", 7, "c=1&d")
    sent = urlsplit(service.paths[0])
    assert sent.path == "/items"
    assert parse_qs(sent.query) == {"query": ["tea & a/b?#\N{TEAPOT}"], "limit": ["7"], "cursor": ["c=1&d"]}


def test_a_path_in_the_base_url_is_kept(service: CatalogService) -> None:
    service.url += "/shop/v2/"
    search(service)
    assert service.paths == ["/shop/v2/items?query=tea&limit=10"]


def test_only_the_operators_key_is_sent(service: CatalogService) -> None:
    search(service)
    ((_, headers),) = service.requests
    assert headers["Authorization"] == f"Bearer {KEY}"
    assert headers["Accept-Encoding"] == "identity"
    assert {name.lower() for name in headers} == {
        *("accept", "accept-encoding", "authorization", "connection", "host", "user-agent")
    }


@pytest.mark.parametrize(
    ("key", "options", "name", "sent"),
    [
        (" k \n", {}, "Authorization", "Bearer k"),
        ("bearer k", {}, "Authorization", "bearer k"),
        ("k", {"header": "X-Api-Key", "scheme": ""}, "X-Api-Key", "k"),
        ("k", {"scheme": "Token"}, "Authorization", "Token k"),
        ("", {}, "Authorization", None),
        (None, {}, "Authorization", None),
    ],
)
def test_the_key_goes_where_it_is_told(
    service: CatalogService, key: str | None, options: dict[str, str], name: str, sent: str | None
) -> None:
    async def main() -> None:
        catalog = RemoteCatalog(service.url, key, **options)  # pyright: ignore[reportArgumentType] - texts only
        await catalog.search("tea")
        await catalog.aclose()

    asyncio.run(main())
    assert service.requests[0][1].get(name) == sent


def test_cookies_are_not_kept(service: CatalogService) -> None:
    service.answers = [answer(PAGE, headers={"Set-Cookie": "session=1; Path=/"})]

    async def main() -> None:
        catalog = RemoteCatalog(service.url)
        await catalog.search("tea")
        await catalog.search("tea")
        await catalog.aclose()

    asyncio.run(main())
    assert [headers.get("Cookie") for _, headers in service.requests] == [None, None]


@pytest.mark.parametrize(
    "item_id",
    ["a/b", "a?b=c", "a#b", "50%", "%2e%2e", "\N{TEAPOT}", "a b", "\x00", "...", "a..b", "a;b", "@", "a\\b"],
    ids=ascii,
)
def test_an_id_is_one_segment_of_the_path(service: CatalogService, item_id: str) -> None:
    service.answers = [answer(ITEM | {"id": item_id})]
    assert get(service, item_id).id == item_id
    (path,) = service.paths
    assert path.startswith("/items/")
    assert path.count("/") == 2
    assert unquote(path.removeprefix("/items/")) == item_id


@pytest.mark.parametrize(
    "item_id", ["", ".", "..", "../admin", "a/..", "a/../../b", "..\\admin", "a/./b", "x" * 129], ids=ascii
)
def test_an_id_that_could_climb_the_path_is_never_asked_for(service: CatalogService, item_id: str) -> None:
    with pytest.raises(ItemNotFound):
        get(service, item_id)
    assert service.requests == []


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(item_id=st.text(max_size=20) | st.text("./\\%2eE?#@:", min_size=1, max_size=12))
def test_no_id_leaves_the_items(service: CatalogService, item_id: str) -> None:
    service.requests.clear()
    service.answers = [answer({}, 404)]
    with pytest.raises(ItemNotFound):
        get(service, item_id)
    for path in service.paths:
        assert path.startswith("/items/")
        assert path.count("/") == 2


def test_an_item_that_the_service_does_not_know_is_not_found(service: CatalogService) -> None:
    service.answers = [answer({"error": "gone"}, 404)]
    with pytest.raises(ItemNotFound):
        get(service)


def test_an_answer_about_another_item_is_unexpected(service: CatalogService) -> None:
    service.answers = [answer(ITEM | {"id": "lamp"})]
    with pytest.raises(CatalogUnavailable, match="unexpected"):
        get(service)


def test_a_cursor_that_the_service_refuses_is_a_bad_cursor(service: CatalogService) -> None:
    service.answers = [answer({}, 400)]
    with pytest.raises(BadCursor):
        search(service, cursor="old")


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (400, "unexpected"),
        (401, "key"),
        (403, "key"),
        (404, "no catalogue"),
        (418, "unexpected"),
        (204, "unexpected"),
        (429, "too many"),
        (500, "failing"),
        (503, "failing"),
    ],
)
def test_a_refusal_is_told_plainly_and_its_status_is_for_the_log(
    service: CatalogService, status: int, words: str
) -> None:
    service.answers = [answer(b"" if status == 204 else b"secret details", status)]
    error = refusal(service)
    assert words in str(error)
    assert str(status) not in str(error)
    assert error.__notes__ == [f"HTTP status {status}"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(service: CatalogService, status: int) -> None:
    service.answers = [answer(b"", status, headers={"Location": "/elsewhere"}), answer(PAGE)]
    assert "unexpected" in str(refusal(service))
    assert len(service.requests) == 1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"\xff\xfe",
        b"[" * 100_000,
        [],
        {"items": []},
        PAGE | {"total": "2"},
        PAGE | {"total": -1},
        PAGE | {"items": [SUMMARY | {"priceCents": 1.5}]},
        PAGE | {"items": [{"id": "kettle"}]},
        PAGE | {"items": [SUMMARY] * 11},
        PAGE | {"items": [SUMMARY] * 51},
        PAGE | {"nextCursor": ""},
        PAGE | {"nextCursor": "c" * 1025},
    ],
    ids=lambda body: ascii(body)[:40],
)
def test_an_answer_of_the_wrong_shape_is_unexpected(service: CatalogService, body: object) -> None:
    service.answers = [answer(body)]
    assert "unexpected" in str(refusal(service))


def test_the_log_of_a_malformed_answer_does_not_hold_the_answer(service: CatalogService) -> None:
    service.answers = [answer(PAGE | {"total": "hunter2"})]
    assert "hunter2" not in str(refusal(service).__cause__)


def test_a_field_that_we_do_not_know_is_dropped(service: CatalogService) -> None:
    service.answers = [answer(PAGE | {"debug": "hunter2"})]
    assert "hunter2" not in search(service).model_dump_json()


def test_an_answer_may_be_as_large_as_the_limit(service: CatalogService) -> None:
    body = json.dumps(PAGE).encode()
    service.answers = [answer(body + b" " * (MAX_ANSWER_BYTES - len(body)))]
    assert search(service).total == 2


@pytest.mark.parametrize("length", [True, False], ids=["announced", "unannounced"])
def test_an_answer_over_the_limit_is_not_read(service: CatalogService, length: bool) -> None:
    body = json.dumps(PAGE).encode()
    service.answers = [answer(body + b" " * (MAX_ANSWER_BYTES - len(body) + 1), length=length)]
    assert "unexpected" in str(refusal(service))


def endless(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    while True:  # until the client hangs up, which raises here
        handler.wfile.write(b" " * 65536)


def test_an_endless_answer_is_cut_off(service: CatalogService) -> None:
    service.answers = [endless]
    assert "unexpected" in str(refusal(service))


def test_a_compressed_answer_is_not_inflated(service: CatalogService) -> None:
    service.answers = [answer(gzip.compress(json.dumps(PAGE).encode()), headers={"Content-Encoding": "gzip"})]
    assert "unexpected" in str(refusal(service))


def silent(service: CatalogService) -> Answer:
    def send(handler: BaseHTTPRequestHandler) -> None:
        service.over.wait()

    return send


def dripping(service: CatalogService) -> Answer:
    def send(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "100000")
        handler.end_headers()
        while not service.over.wait(0.02):
            handler.wfile.write(b" ")

    return send


@pytest.mark.parametrize("slowness", [silent, dripping])
def test_the_time_limit_covers_the_whole_answer(
    service: CatalogService, slowness: Callable[[CatalogService], Answer]
) -> None:
    service.answers = [slowness(service)]
    assert "too long" in str(refusal(service, timeout=0.3))


def test_a_service_that_is_not_there_cannot_be_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # bound, not listening: connections are refused, and nobody else takes the port
        service = CatalogService(url=f"http://127.0.0.1:{held.getsockname()[1]}", over=Event())
        assert "cannot be reached" in str(refusal(service))


def hang_up(handler: BaseHTTPRequestHandler) -> None:
    handler.close_connection = True


def test_a_connection_that_breaks_is_replaced_once(service: CatalogService) -> None:
    service.answers = [hang_up, answer(PAGE)]
    assert search(service).total == 2
    assert len(service.requests) == 2


def test_a_connection_that_breaks_twice_is_given_up(service: CatalogService) -> None:
    service.answers = [hang_up]
    assert "cannot be reached" in str(refusal(service))
    assert len(service.requests) == 2


def test_questions_share_one_connection(service: CatalogService) -> None:
    async def main() -> None:
        catalog = RemoteCatalog(service.url)
        for _ in range(5):
            await catalog.search("tea")
        await catalog.aclose()

    asyncio.run(main())
    assert (len(service.requests), service.connections) == (5, 1)


def test_questions_asked_at_once_share_one_pool(service: CatalogService) -> None:
    async def main() -> int:
        catalog = RemoteCatalog(service.url)
        await asyncio.gather(*(catalog.search("tea") for _ in range(20)))
        pools = len(catalog._pools)  # pyright: ignore[reportPrivateUsage] - what is shared cannot be seen outside
        await catalog.aclose()
        return pools

    assert asyncio.run(main()) == 1
    assert len(service.requests) == 20


def test_each_event_loop_has_its_own_pool_and_a_closed_loop_is_forgotten(service: CatalogService) -> None:
    catalog = RemoteCatalog(service.url)
    service.answers = [answer(PAGE, headers={"Connection": "close"})]
    for _ in range(3):
        assert asyncio.run(catalog.search("tea")).total == 2
    assert len(catalog._pools) == 1  # pyright: ignore[reportPrivateUsage]


def test_a_closed_catalogue_opens_again(service: CatalogService) -> None:
    async def main() -> None:
        catalog = RemoteCatalog(service.url)
        await catalog.aclose()
        await catalog.search("tea")
        await catalog.aclose()
        assert (await catalog.search("tea")).total == 2
        await catalog.aclose()

    asyncio.run(main())
    assert service.connections == 2


def test_a_question_that_is_cancelled_stays_cancelled(service: CatalogService) -> None:
    service.answers = [silent(service)]

    async def main() -> None:
        catalog = RemoteCatalog(service.url)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(catalog.search("tea"), 0.2)
        await catalog.aclose()

    asyncio.run(main())


@pytest.mark.parametrize("limit", [0, 51])
def test_a_limit_out_of_bounds_is_never_asked_for(service: CatalogService, limit: int) -> None:
    with pytest.raises(ValueError, match="limit"):
        search(service, limit=limit)
    assert service.requests == []


def test_text_that_is_not_unicode_is_asked_for_all_the_same(service: CatalogService) -> None:
    assert search(service, "\ud800").total == 2


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://[::1/", "not a URL"),
        ("http://h\n/", "not a URL"),
        ("example.com", "begin with http"),
        ("ftp://example.com", "begin with http"),
        ("http://", "begin with http"),
        ("http:///items", "begin with http"),
        ("http://example.com:99999", "port"),
        ("http://example.com:0", "port"),
        ("http://user:hunter2@example.com", "password"),
        ("http://example.com/?key=hunter2", "query"),
        ("http://example.com/#top", "fragment"),
    ],
)
def test_an_address_that_cannot_be_right_is_refused_without_repeating_it(url: str, words: str) -> None:
    with pytest.raises(CatalogMisconfigured, match=words) as caught:
        RemoteCatalog(url)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "key", ["a\nb", "schl\N{LATIN SMALL LETTER U WITH DIAERESIS}ssel", "a\x00b", "a\tb"], ids=ascii
)
def test_a_key_that_a_header_cannot_carry_is_refused_without_repeating_it(key: str) -> None:
    with pytest.raises(CatalogMisconfigured, match="API_KEY") as caught:
        RemoteCatalog("http://example.com", key)
    assert key not in str(caught.value)


@pytest.mark.parametrize("options", [{"header": "X Key"}, {"header": ""}, {"scheme": "B\n"}], ids=ascii)
def test_a_header_that_is_none_is_refused(options: dict[str, str]) -> None:
    with pytest.raises(CatalogMisconfigured):
        RemoteCatalog("http://example.com", "k", **options)  # pyright: ignore[reportArgumentType] - texts only


@pytest.mark.parametrize("timeout", [0, -1, 10.1, float("nan"), float("inf")])
def test_a_time_limit_over_ten_seconds_is_refused(timeout: float) -> None:
    with pytest.raises(CatalogMisconfigured, match="time limit"):
        RemoteCatalog("http://example.com", timeout=timeout)
