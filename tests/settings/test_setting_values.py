"""Text of a variable → typed value, or a sentence about what to write instead."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from limits import parse_many
from pydantic import SecretStr, TypeAdapter, ValidationError

from mcp_server.settings import values
from mcp_server.settings.meanings import is_loopback, rates_in


def read(kind: Any, text: object) -> Any:
    return TypeAdapter(kind).validate_python(text)


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        (values.Flag, "true", True),
        (values.Flag, "0", False),
        (values.Port, "65535", 65535),
        (values.Seconds, "0.5", 0.5),
        (values.WholeSeconds, "0", 0),
        (values.LogLevel, "debug", "DEBUG"),
        (values.LogFormat, "JSON", "json"),
        (values.Reference, "shop.tools:server", "shop.tools:server"),
        (values.Reference, "shop.tools", "shop.tools"),
        (values.Reference, "C:\\shop\\tools.py:server", "C:\\shop\\tools.py:server"),
        (values.Address, "0.0.0.0", "0.0.0.0"),
        (values.Address, "::", "::"),
        (values.Address, "[::1]", "::1"),
        (values.Address, "LOCALHOST", "localhost"),
        (values.HostName, "redis_1", "redis_1"),
        (values.Domain, "API.example.com:8443", "api.example.com:8443"),
        (values.Domain, "[::1]:80", "[::1]:80"),
        (values.PublicUrl, "https://a.example/x/", "https://a.example/x"),
        (values.BaseUrl, "http://a.example/x/?y=1", "http://a.example/x/?y=1"),
        (values.Hosts, "a.example, *.B.example:80", ("a.example", "*.b.example:80")),
        (values.Hosts, ["a.example"], ("a.example",)),
        (values.Hosts, ",", ()),
        (values.Origins, "https://A.example http://b:1", ("https://a.example", "http://b:1")),
        (values.Origins, "*", ("*",)),
        (values.Networks, "10.0.0.0/8,127.0.0.1,::1", ("10.0.0.0/8", "127.0.0.1/32", "::1/128")),
        (values.Networks, "*", ("*",)),
        (values.Networks, "none", ()),
        (values.Networks, "unknown", ("unknown",)),
        (values.HeaderName, "Fly-Client-IP", "Fly-Client-IP"),
        (values.Rates, "100/minute", "100/minute"),
        (values.Rates, "5 per 30 Seconds, 1000/DAY", "5/30 second;1000/day"),
        (values.Rates, "007/1 hour|1 per day", "7/hour;1/day"),
    ],
)
def test_a_good_value_is_understood(kind: Any, text: object, expected: object) -> None:
    assert read(kind, text) == expected


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (values.Flag, "perhaps"),
        (values.Port, "0"),
        (values.Port, "65536"),
        (values.Port, "80a"),
        (values.Count, "0"),
        (values.Count, "1.5"),
        (values.ByteCount, "4MiB"),
        (values.ByteCount, "12"),
        (values.Seconds, "0"),
        (values.Seconds, "nan"),
        (values.Seconds, "inf"),
        (values.Seconds, "10s"),
        (values.WholeSeconds, "-1"),
        (values.Lifetime, "1"),
        (values.Environment, "prod"),
        (values.Environment, 1),
        (values.LogLevel, "TRACE"),
        (values.LogLevel, 10),
        (values.LogFormat, "xml"),
        (values.Name, "a" * 129),
        (values.Name, "a\tb"),
        (values.Reference, "shop.tools:"),
        (values.Reference, "shop/tools:server"),
        (values.Reference, "shop tools"),
        (values.Address, "http://a"),
        (values.Address, "a:80"),
        (values.Address, "1::2::3"),
        (values.Domain, "https://a.example"),
        (values.Domain, "a.example/"),
        (values.Domain, "a.example:99999"),
        (values.Domain, "[1::2::3]"),
        (values.Domain, "a..b"),
        (values.PublicUrl, "a.example"),
        (values.PublicUrl, "ftp://a.example"),
        (values.PublicUrl, "https://a.example?x"),
        (values.PublicUrl, "https://a.example#x"),
        (values.PublicUrl, "https://u:p@a.example"),
        (values.PublicUrl, "https://a.example:99999"),
        (values.PublicUrl, "https://"),
        (values.BaseUrl, "https://u@a.example"),
        (values.BaseUrl, "https://a b"),
        (values.Hosts, "*"),
        (values.Hosts, "a.*.example"),
        (values.Hosts, "https://a.example"),
        (values.Origins, "https://a.example/"),
        (values.Origins, "null"),
        (values.Origins, "https://a.example:99999"),
        (values.Networks, "10.0.0.1/8"),
        (values.Networks, "10.0.0.0/33"),
        (values.Networks, "proxy"),
        (values.Methods, "GET,PO ST,1"),
        (values.HeaderNames, "a:b"),
        (values.HeaderName, "a b"),
        (values.File, "no/such/file"),
        (values.Secret, "schlüssel"),
        (values.Secret, "a b"),
        (values.Secrets, "a'b"),
        (values.Secrets, ["a b"]),
        (values.Password, 1),
        (values.Rates, "100"),
        (values.Rates, "0/minute"),
        (values.Rates, "5/0 second"),
        (values.Rates, "5/month"),
        (values.Rates, "1234567890/day"),
        (values.Rates, "5/minute;"),
        (values.Rates, "-5/minute"),
        (values.RedisUrl, "redis:6379"),
        (values.RedisUrl, "redis://"),
        (values.RedisUrl, "redis://a:99999"),
        (values.RedisUrl, "http://redis"),
        (values.RedisUrl, "memory://"),
        (values.StorageUrl, "sqlite:///x"),
    ],
)
def test_a_bad_value_is_answered_with_what_to_write(kind: Any, text: object) -> None:
    with pytest.raises(ValidationError) as caught:
        read(kind, text)
    [detail] = caught.value.errors()
    assert detail["type"] == "value_error"
    assert str(detail["ctx"]["error"]).startswith("must ")  # pyright: ignore[reportTypedDictNotRequiredAccess]


def test_of_a_list_the_wrong_item_is_counted() -> None:
    with pytest.raises(ValidationError, match="item 2 is not"):
        read(values.Networks, "10.0.0.0/8, 10.0.0.0/33, ::1")


@pytest.mark.parametrize("text", ["100/minute", "5 per 30 seconds;1000/day", "1/day|2/hours", "7/1 hour"])
def test_a_rate_means_what_the_limiter_understands(text: str) -> None:
    written = read(values.Rates, text)
    assert parse_many(written) == parse_many(text)
    assert rates_in(written) == [(rate.amount, rate.get_expiry()) for rate in parse_many(text)]


@pytest.mark.parametrize("given", ["a,b", "a b", " a ,\tb, ", ("a", "b"), [SecretStr("a"), "b"], SecretStr("a,b")])
def test_keys_are_listed_with_commas_or_spaces(given: object) -> None:
    assert [key.get_secret_value() for key in read(values.Secrets, given)] == ["a", "b"]


def test_a_file_is_known_by_its_whole_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cert.pem").touch()
    monkeypatch.chdir(tmp_path)
    assert read(values.File, "cert.pem") == tmp_path / "cert.pem"


@pytest.mark.parametrize("host", ["localhost", "a.localhost:1", "127.1.2.3", "[::1]:80"])
def test_this_machine_has_several_names(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["localhost.example.com", "128.0.0.1", "127.example.com", "[::2]", ""])
def test_other_machines_are_not_this_one(host: str) -> None:
    assert not is_loopback(host)
