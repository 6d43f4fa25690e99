from __future__ import annotations

import ipaddress

import pytest
from asgi_driver import Seen, get, passes_lifespan
from hypothesis import example, given
from hypothesis import strategies as st

from mcp_server.guards.addresses import ClientAddress, parse_address
from mcp_server.guards.caller import caller_of

PROXY = ("10.0.0.1", 80)
STRANGER = ("203.0.113.9", 4711)


def place(
    *forwarded: str,
    client: tuple[str, int] | None = PROXY,
    trusted: tuple[str, ...] = ("10.0.0.0/8", "2001:db8:ff::/48"),
    header: str | None = None,
    headers: tuple[tuple[str, str], ...] = (),
) -> str:
    seen = Seen()
    sent = [*[("x-forwarded-for", value) for value in forwarded], *headers]
    get(ClientAddress(seen, trusted=trusted, header=header), client=client, headers=sent)
    return caller_of(seen.scopes[0]).address


def test_the_peer_is_the_client_where_no_proxy_is_trusted() -> None:
    assert place(client=STRANGER, trusted=()) == "203.0.113.9"


def test_a_forged_header_of_a_stranger_changes_nothing() -> None:
    assert place("198.51.100.1", client=STRANGER) == "203.0.113.9"


def test_a_trusted_proxy_tells_the_client() -> None:
    assert place("198.51.100.1") == "198.51.100.1"


def test_what_the_client_wrote_left_of_the_proxys_entry_changes_nothing() -> None:
    assert place("1.1.1.1, 10.0.0.3, 198.51.100.1") == "198.51.100.1"
    assert place("1.1.1.1", "198.51.100.1") == "198.51.100.1"
    assert place("garbage, 198.51.100.1") == "198.51.100.1"


def test_trusted_proxies_are_skipped_from_the_right() -> None:
    assert place("1.1.1.1, 198.51.100.1, 10.2.3.4, 10.5.6.7") == "198.51.100.1"


def test_when_all_entries_are_proxies_the_farthest_is_the_client() -> None:
    assert place("10.2.3.4, 10.5.6.7") == "10.2.3.4"


@pytest.mark.parametrize("value", ["", "garbage", "198.51.100.1, unknown", "198.51.100.1,", "1.2.3", "x" * 100_000])
def test_something_unreadable_leaves_the_peer(value: str) -> None:
    assert place(value) == "10.0.0.1"


def test_a_trusted_proxy_without_the_header_is_the_client() -> None:
    assert place() == "10.0.0.1"


@pytest.mark.parametrize(
    "value", ["198.51.100.1:4711", " 198.51.100.1 ", "::ffff:198.51.100.1", "[::ffff:198.51.100.1]:1"]
)
def test_one_client_is_written_in_many_ways(value: str) -> None:
    assert place(value) == "198.51.100.1"


@pytest.mark.parametrize("value", ["2001:db8:1:2::1", "2001:DB8:1:2:ffff:ffff:ffff:ffff", "[2001:db8:1:2::9]:443"])
def test_ipv6_is_cut_to_its_64(value: str) -> None:
    assert place(value) == "2001:db8:1:2::/64"


def test_a_peer_that_a_server_in_front_took_from_a_stranger_is_not_remembered_at_any_length() -> None:
    guard = ClientAddress(Seen())
    for number in range(100):
        get(guard, client=("x" * 1000 + str(number), 80))
    assert guard._remembered.cache_info().currsize == 0  # pyright: ignore[reportPrivateUsage]


def test_a_peer_in_ipv6_clothes_is_ipv4() -> None:
    assert place(client=("::ffff:203.0.113.9", 1), trusted=()) == "203.0.113.9"
    assert place("198.51.100.1", client=("::ffff:10.0.0.1", 1)) == "198.51.100.1"


def test_a_scope_id_is_no_new_client() -> None:
    assert place(client=("fe80::1%eth0", 1), trusted=()) == "fe80::/64"


@pytest.mark.parametrize("client", [None, ("", 0), ("testclient", 50000), ("198.51.100.1, 10.0.0.1", 0)])
def test_peers_without_an_address_share_one_bucket(client: tuple[str, int] | None) -> None:
    assert place("198.51.100.1", client=client) == "unknown"


def test_peers_without_an_address_can_be_trusted() -> None:
    assert place("1.1.1.1, 198.51.100.1", client=None, trusted=("unknown",)) == "198.51.100.1"


def test_the_star_trusts_one_hop_and_never_the_leftmost() -> None:
    assert place("1.1.1.1, 198.51.100.1", client=STRANGER, trusted=("*",)) == "198.51.100.1"


def test_the_star_skips_the_networks_named_beside_it() -> None:
    assert place("1.1.1.1, 198.51.100.1, 10.9.9.9", client=STRANGER, trusted=("*", "10.0.0.0/8")) == "198.51.100.1"


def test_a_single_header_replaces_the_list() -> None:
    headers = (("Fly-Client-IP", "198.51.100.7"),)
    assert place("198.51.100.1", header="Fly-Client-IP", headers=headers) == "198.51.100.7"


def test_a_single_header_of_a_stranger_changes_nothing() -> None:
    headers = (("fly-client-ip", "198.51.100.7"),)
    assert place(client=STRANGER, header="Fly-Client-IP", headers=headers) == "203.0.113.9"


@pytest.mark.parametrize("values", [(), ("garbage",), ("198.51.100.7", "198.51.100.8")])
def test_a_single_header_that_is_not_single_leaves_the_peer(values: tuple[str, ...]) -> None:
    headers = tuple(("fly-client-ip", value) for value in values)
    assert place("198.51.100.1", header="fly-client-ip", headers=headers) == "10.0.0.1"


@pytest.mark.parametrize(
    ("client", "headers", "scheme"),
    [
        (PROXY, ["https"], "https"),
        (PROXY, ["http"], "http"),
        (PROXY, ["https", "http"], "http"),
        (PROXY, ["gopher"], "http"),
        (PROXY, [], "http"),
        (STRANGER, ["https"], "http"),
    ],
)
def test_the_scheme_is_believed_only_of_a_proxy(client: tuple[str, int], headers: list[str], scheme: str) -> None:
    seen = Seen()
    sent = [("x-forwarded-proto", value) for value in headers]
    get(ClientAddress(seen, trusted=["10.0.0.0/8"]), client=client, headers=sent)
    assert seen.scopes[0]["scheme"] == scheme


def test_what_strangers_write_is_not_remembered_at_any_length() -> None:
    guard = ClientAddress(Seen(), trusted=["10.0.0.0/8"])
    get(guard, client=PROXY, headers=[("x-forwarded-for", "x" * 10_000)])
    assert guard._remembered.cache_info().currsize == 1  # pyright: ignore[reportPrivateUsage]


def test_a_network_that_is_none_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="does not appear to be"):
        ClientAddress(Seen(), trusted=["10.0.0.300/8"])


def test_what_is_no_request_passes() -> None:
    assert passes_lifespan(ClientAddress)


addresses = st.ip_addresses().map(str)
hop = st.one_of(addresses, st.text(st.characters(codec="latin-1", exclude_characters=","), max_size=30))


def is_none_of_our_proxies(text: str) -> bool:
    """Whether an address is outside 10.0.0.0/8, in the clothes of IPv6 too."""
    address = parse_address(text)
    return address is not None and address not in ipaddress.ip_network("10.0.0.0/8")


@example(claims=[], real="::ffff:203.0.113.9")
@given(claims=st.lists(hop, max_size=6), real=addresses.filter(is_none_of_our_proxies))
def test_no_claim_moves_a_client_behind_a_proxy_that_appends(claims: list[str], real: str) -> None:
    forged = place(", ".join([*claims, real]), trusted=("10.0.0.0/8",))
    assert forged == place(real, trusted=("10.0.0.0/8",))


@given(claims=st.lists(hop, max_size=6), peer=addresses)
def test_no_claim_moves_a_client_without_a_proxy(claims: list[str], peer: str) -> None:
    assert place(", ".join(claims), client=(peer, 1), trusted=()) == place(client=(peer, 1), trusted=())


@given(st.text(max_size=60))
def test_whatever_is_read_is_an_address_or_nothing(text: str) -> None:
    address = parse_address(text)
    assert address is None or isinstance(address, ipaddress.IPv4Address | ipaddress.IPv6Address)
