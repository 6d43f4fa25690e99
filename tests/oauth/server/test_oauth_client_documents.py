"""Clients whose id is an address, fetched over real HTTPS from a site on this machine; and what must not be fetched."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from issuing import CLAUDE, House, flow, house
from sites import NAME, Page, Site, endless, never, site

from mcp_server.oauth.server.client import Client
from mcp_server.oauth.server.documents import Documents
from mcp_server.oauth.server.faults import Fault
from mcp_server.oauth.server.options import ServerOptions
from mcp_server.oauth.server.reaching import Fetched, NotFetched, Reaching, is_public, look_up
from tests.store_backends import Clock


@pytest.fixture
def other(tmp_path: Path) -> Generator[Site]:
    """The site of somebody who has a client."""
    with site(tmp_path) as found:
        found.pages["/client.json"] = document(found)
        yield found


def document(found: Site, path: str = "/client.json", **changes: Any) -> dict[str, Any]:
    return {
        "client_id": found.url(path),
        "client_name": "Example Client",
        "client_uri": f"https://{NAME}",
        "redirect_uris": [CLAUDE[0], "http://127.0.0.1/cb"],
        "grant_types": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_method": "none",
        **changes,
    }


@contextmanager
def home_for(found: Site, **options: Any) -> Generator[House]:
    options = {"loopback_documents": True, **options}
    with house(http=found.http, resolve=found.resolve, **options) as home:
        yield home


def test_a_client_is_known_by_its_document(other: Site) -> None:
    with home_for(other) as home, flow(home, client_id=other.url()) as client:
        identity = client.authorize().headers["location"].partition("request=")[2]
        pending = home.run(home.approvals.pending(identity))
        assert (pending.client_name, pending.known_by) == ("Example Client", "document")
        assert (pending.client_id, pending.client_uri) == (other.url(), f"https://{NAME}")
        tokens = client.tokens()
        assert home.verify(tokens["access_token"]).client == other.url()
        assert client.refresh(tokens["refresh_token"]).status_code == 200
    # The connection went to the address that was looked at, under the client's own name; and once, for all of that.
    assert other.asked == [(f"{NAME}:{other.port}", "/client.json")]
    assert other.looked_up == [NAME]


def test_an_address_that_the_document_does_not_name_gets_nobody_redirected(other: Site) -> None:
    with home_for(other) as home, flow(home, client_id=other.url()) as client:
        assert client.authorize(redirect_uri=CLAUDE[1]).status_code == 400
        assert client.authorize(redirect_uri="http://127.0.0.1:5000/cb").status_code == 302


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": "https://other.example/client.json"},
        {"client_id": None},
        {"client_name": None},
        {"client_name": "\u202e"},
        {"redirect_uris": None},
        {"redirect_uris": ["javascript:alert(1)"]},
        {"redirect_uris": ["http://client.example/cb"]},
        {"token_endpoint_auth_method": "client_secret_post"},
        {"client_secret": "x"},
        {"grant_types": ["client_credentials"]},
    ],
)
def test_a_document_that_says_something_else_is_nobodys(other: Site, changes: dict[str, Any]) -> None:
    other.pages["/client.json"] = document(other, **changes)
    with home_for(other) as home, flow(home, client_id=other.url()) as client:
        assert client.authorize().status_code == 400
        assert client.refresh("x").status_code == 401
    assert len(other.asked) == 1, "that there is none is remembered for a moment"


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (Page(404, {}, b"{}"), 400),
        (Page(302, {"location": "/real.json"}, b""), 400),
        (Page(307, {"location": "http://169.254.169.254/"}, b""), 400),
        (Page(200, {"content-type": "text/html"}, b"{}"), 400),
        (Page(200, {}, b"not json"), 400),
        (Page(200, {}, b"[]"), 400),
        (Page(200, {"content-encoding": "gzip"}, b"\x1f\x8b"), 400),
        (endless("application/json", b" " * 4096), 400),
        (Page(500, {}, b""), 503),
        (Page(429, {}, b""), 503),
    ],
)
def test_what_is_no_document_is_not_taken_for_one(other: Site, answer: Any, status: int) -> None:
    other.pages["/real.json"] = document(other)
    other.pages["/client.json"] = answer
    with home_for(other) as home, flow(home, client_id=other.url()) as client:
        assert client.authorize().status_code == status
        # A client that is only away for the moment must not register anew.
        assert client.refresh("x").status_code == {400: 401, 503: 503}[status]
    assert [path for _, path in other.asked] == ["/client.json"]


def reaching(found: Site, **options: Any) -> Reaching:
    return Reaching(found.http, found.resolve, **{"loopback": True, **options})


def why(fetching: Awaitable[Any]) -> str:
    async def main() -> str:
        with pytest.raises(NotFetched) as caught:
            await fetching
        return str(caught.value)

    return asyncio.run(main())


def test_a_site_that_says_nothing_is_not_waited_for(other: Site) -> None:
    other.pages["/client.json"] = never
    assert why(reaching(other, patience=0.2).fetch(other.url())) == "it took too long"


def test_a_host_that_is_looked_up_for_ever_is_not_waited_for(other: Site) -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        await asyncio.Event().wait()
        return ()

    assert why(Reaching(other.http, resolve, patience=0.2).fetch(other.url())) == "it took too long"


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["10.1.2.3"],
        ["169.254.169.254"],
        ["100.100.100.200"],
        ["192.168.1.1"],
        ["::1"],
        ["fd00:ec2::254"],
        ["fe80::1%eth0"],
        ["::ffff:127.0.0.1"],
        ["::ffff:169.254.169.254"],
        ["64:ff9b::a9fe:a9fe"],
        ["8.8.8.8", "127.0.0.1"],
        ["127.0.0.1", "8.8.8.8"],
        ["not an address"],
    ],
)
def test_a_name_that_leads_inside_is_not_followed(other: Site, addresses: list[str]) -> None:
    other.addresses = addresses
    found = why(reaching(other, loopback=False).fetch(other.url()))
    assert found == "its host is not on the public internet"
    assert other.asked == []


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "[::1]", "localhost", "169.254.169.254", "2130706433", "0x7f000001", "0177.0.0.1", "[::ffff:7f00:1]"],
)
def test_an_address_that_leads_inside_is_not_asked(other: Site, host: str) -> None:
    url = f"https://{host}:{other.port}/client.json"
    assert why(Reaching(other.http, look_up).fetch(url)) in {
        "its host is not on the public internet",
        "it could not be reached (gaierror)",
        "its address cannot be read",
    }
    assert other.asked == []


def test_a_name_that_changes_its_address_in_between_leads_nowhere_else(other: Site) -> None:
    """DNS rebinding: public when it is looked at, private when it is connected to. There is no second look."""
    answers = iter([["203.0.114.1"], ["127.0.0.1"]])
    connected: list[str] = []

    async def resolve(host: str, port: int) -> Sequence[str]:
        return next(answers)

    class Noting:
        """Stands where the connection would be made, since the public internet is not there."""

        async def handle_async_request(self, request: Any) -> Any:
            import httpx2

            connected.append(f"{request.url.host} as {request.headers['host']} {request.extensions['sni_hostname']}")
            raise httpx2.ConnectError("nobody there")

        async def aclose(self) -> None: ...

        async def __aenter__(self) -> Any:
            return self

        async def __aexit__(self, *_: object) -> None: ...

    def client() -> Any:
        import httpx2

        return httpx2.AsyncClient(transport=Noting())  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]

    assert "could not be reached" in why(Reaching(client, resolve).fetch("https://client.example/client.json"))
    assert connected == ["203.0.114.1 as client.example client.example"]


def test_a_site_with_the_certificate_of_another_is_not_believed(other: Site) -> None:
    url = other.url().replace(NAME, "another.example")
    assert why(reaching(other).fetch(url)) == "it could not be reached (ConnectError)"


def test_plain_http_is_not_fetched(other: Site) -> None:
    assert why(reaching(other).fetch("http://client.example/client.json")) == "it is not at an https address"


@pytest.mark.parametrize("host", ["x" * 70 + ".example", "client.example:99999"])
def test_a_host_that_cannot_be_looked_up_is_not_fetched(host: str) -> None:
    assert why(Reaching().fetch(f"https://{host}/client.json")) in {
        "its address cannot be read",
        "it could not be reached (gaierror)",
    }


def test_a_host_without_an_address_is_not_fetched(other: Site) -> None:
    other.addresses = ()
    assert why(reaching(other).fetch(other.url())) == "its host has no address"


@pytest.mark.parametrize(
    "address",
    [
        *("0.0.0.0", "10.0.0.1", "100.64.0.1", "127.255.255.255", "169.254.0.1", "172.31.255.255"),
        *("192.0.0.8", "192.0.2.1", "192.88.99.1", "192.168.0.1", "198.18.0.1", "198.51.100.1"),
        *("203.0.113.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "::", "::1"),
        *("::127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::1", "100::1", "2001::1"),
        *("2001:2::1", "2001:10::1", "2001:db8::1", "2002:7f00:1::", "3fff::1", "5f00::1"),
        *("fc00::1", "fd00::1", "fe80::1", "fec0::1", "ff02::1", "x"),
    ],
)
def test_an_address_that_is_not_for_everybody_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "160.79.104.10", "2606:4700::1111", "::ffff:8.8.8.8"])
def test_an_address_on_the_internet_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "identity",
    [
        "http://client.example/c.json",
        "https://client.example",
        "https://client.example/",
        "https://user@client.example/c.json",
        "https://client.example/c.json#x",
        "https://client.example/a/../c.json",
        "https://client.example/./c.json",
        "https://client.example/c .json",
        "https://client.example\\x/c.json",
        "https://ü.example/c.json",
        "https:///c.json",
        "https://client.example:99999/c.json",
        "ftp://client.example/c.json",
        "client.example/c.json",
        "https://client.example/" + "x" * 600,
    ],
)
def test_an_id_that_is_no_proper_address_is_not_fetched(identity: str) -> None:
    documents = Documents(ServerOptions("https://a.example"), Reaching(), Clock())
    assert not documents.accepts(identity)


def test_documents_may_be_limited_to_hosts_or_turned_off() -> None:
    trusting = Documents(
        ServerOptions("https://a.example", document_hosts=("claude.ai", "*.openai.com")), Reaching(), Clock()
    )
    accepted = ["https://claude.ai/c", "https://chat.openai.com/c", "https://evil.example/c", "https://xclaude.ai/c"]
    assert [trusting.accepts(each) for each in accepted] == [True, True, False, False]
    off = Documents(ServerOptions("https://a.example", documents=False), Reaching(), Clock())
    assert not off.accepts("https://claude.ai/c")
    with house(documents=False) as home, home.client() as http:
        said = http.get("/.well-known/oauth-authorization-server").json()
        assert said["client_id_metadata_document_supported"] is False


def found_by(documents: Documents, identity: str) -> Client | str | None:
    async def main() -> Client | str | None:
        try:
            return await documents.find(identity)
        except Fault as error:
            return error.error

    return asyncio.run(main())


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("", 3600),
        ("max-age=7200", 7200),
        ("public, max-age=10", 60),
        ("max-age=9999999", 86_400),
        ("no-store", 60),
        ("no-cache, max-age=7200", 60),
    ],
)
def test_a_document_is_believed_as_long_as_it_says(other: Site, said: str, seconds: int) -> None:
    clock = Clock()
    body = json.dumps(document(other)).encode()
    other.pages["/client.json"] = Page(200, {"cache-control": said}, body)
    documents = Documents(ServerOptions("https://a.example", loopback_documents=True), reaching(other), clock)
    for passed, times in ((0, 1), (seconds - 1, 1), (1, 2)):
        clock.now += passed
        assert isinstance(found_by(documents, other.url()), Client)
        assert len(other.asked) == times


def test_the_document_before_is_used_while_there_is_none(other: Site) -> None:
    clock = Clock()
    documents = Documents(ServerOptions("https://a.example", loopback_documents=True), reaching(other), clock)
    assert isinstance(found_by(documents, other.url()), Client)
    other.pages["/client.json"] = Page(500, {}, b"")
    clock.now += 3600
    assert isinstance(found_by(documents, other.url()), Client)
    assert isinstance(found_by(documents, other.url()), Client)
    assert len(other.asked) == 2
    clock.now += 86_400
    assert found_by(documents, other.url()) == "temporarily_unavailable"
    assert found_by(documents, other.url()) == "temporarily_unavailable"
    assert len(other.asked) == 3


def test_a_document_that_was_taken_away_is_gone(other: Site) -> None:
    clock = Clock()
    documents = Documents(ServerOptions("https://a.example", loopback_documents=True), reaching(other), clock)
    assert isinstance(found_by(documents, other.url()), Client)
    del other.pages["/client.json"]
    clock.now += 3600
    assert found_by(documents, other.url()) is None


def test_many_who_ask_at_once_have_it_fetched_once(other: Site) -> None:
    documents = Documents(ServerOptions("https://a.example", loopback_documents=True), reaching(other), Clock())

    async def main() -> list[Client | None]:
        first = asyncio.create_task(documents.find(other.url()))
        await asyncio.sleep(0)
        first.cancel()  # whoever gives up takes nothing away from the others
        return await asyncio.gather(*(documents.find(other.url()) for _ in range(50)))

    assert {client.name for client in asyncio.run(main()) if client} == {"Example Client"}
    assert len(other.asked) == 1


def test_only_a_few_documents_are_fetched_at_a_time() -> None:
    at_once, most = 0, 0

    class Slow:
        async def fetch(self, url: str) -> Any:
            nonlocal at_once, most
            at_once += 1
            most = max(most, at_once)
            await asyncio.sleep(0.01)
            at_once -= 1
            raise NotFetched("no", lasting=True)

    documents = Documents(ServerOptions("https://a.example"), Slow(), Clock())  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]

    async def main() -> None:
        await asyncio.gather(*(documents.find(f"https://client.example/{n}") for n in range(40)))

    asyncio.run(main())
    assert most == 8


def test_nobody_waits_for_a_turn_that_strangers_do_not_give_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Strangers decide how long eight fetches take; the document before serves meanwhile, or there is a 503."""
    clock, released = Clock(), asyncio.Event()

    class Slow:
        async def fetch(self, url: str) -> Any:
            if "slow" in url:
                await released.wait()
                raise NotFetched("no", lasting=True)
            return Fetched({"client_id": url, "client_name": "Known", "redirect_uris": ["https://c.example/"]}, "")

    documents = Documents(ServerOptions("https://a.example"), Slow(), clock)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    monkeypatch.setattr("mcp_server.oauth.server.documents._QUEUEING", 0.01)

    async def main() -> None:
        known = await documents.find("https://client.example/known")
        clock.now += 7200
        slow = [asyncio.create_task(documents.find(f"https://slow.example/{n}")) for n in range(8)]
        await asyncio.sleep(0)
        assert await documents.find("https://client.example/known") == known
        with pytest.raises(Fault) as raised:
            await documents.find("https://client.example/unknown")
        assert raised.value.status == 503
        released.set()
        await asyncio.gather(*slow)
        clock.now += 60
        assert await documents.find("https://client.example/unknown") is not None

    asyncio.run(asyncio.wait_for(main(), 60))


@pytest.mark.parametrize(
    ("identity", "accepted"),
    [
        ("https://a.example/authorize?client_id=https%3A%2F%2Fa.example%2Fauthorize", False),
        ("https://A.EXAMPLE/%61uthorize?x", False),
        ("https://b.example/authorize?x", False),
        ("https://a.example/app/client.json", True),
        ("https://c.example/authorize?x", True),
    ],
)
def test_this_server_does_not_ask_itself_to_ask_itself(identity: str, accepted: bool) -> None:
    options = ServerOptions("https://a.example", further_urls=("https://b.example",))
    assert Documents(options, Reaching(), Clock()).accepts(identity) is accepted


def test_no_more_than_so_many_documents_are_remembered() -> None:
    fetched: list[str] = []

    class Nothing:
        async def fetch(self, url: str) -> Any:
            fetched.append(url)
            raise NotFetched("no", lasting=True)

    documents = Documents(ServerOptions("https://a.example"), Nothing(), Clock())  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]

    async def main() -> None:
        for n in range(1001):
            await documents.find(f"https://client.example/{n}")
        await documents.find("https://client.example/1000")
        await documents.find("https://client.example/0")

    asyncio.run(main())
    assert len(fetched) == 1002
