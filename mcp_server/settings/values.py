"""Text of a variable → typed value, or a sentence about what to write instead.

Must not know which variable it is, nor any other variable. A sentence continues "PORT must …" and never repeats the
value. What is already typed, because a program wrote it, is accepted as well.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import SplitResult, urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    FilePath,
    SecretStr,
    TypeAdapter,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

from mcp_server.settings.meanings import EVERYBODY, NOBODY, OFF, WITHOUT_ADDRESS, is_loopback, words_in

_LABEL: Final = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST: Final = rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9a-f:.]+\])"
_HOST_AND_PORT: Final = re.compile(rf"{_HOST}(?::\d{{1,5}})?")
_HOST_PATTERN: Final = re.compile(rf"(?:\*\.)?{_HOST}(?::\d{{1,5}})?")
_ORIGIN: Final = re.compile(rf"[a-z][a-z0-9+.-]*://{_HOST}(?::\d{{1,5}})?")
_TOKEN: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_IN_A_HEADER: Final = re.compile(r"[!#-&(-~]+")
_REFERENCE: Final = re.compile(r"(?:[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*|[^:].*\.py)(?::[A-Za-z_]\w*)?", re.ASCII)
_RATE: Final = re.compile(
    r"0*([1-9][0-9]{0,8})\s*(?:/|\bper\b)\s*(?:0*([1-9][0-9]{0,5})\s*)?(second|minute|hour|day)s?", re.IGNORECASE
)

_SUBJECT: Final = re.compile(r"[!-+\--~]+", re.ASCII)
_DOMAIN: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")

_NO_RATE: Final = {OFF, "none", "0", "false"}


def must(rule: str) -> WrapValidator:
    """Whatever is wrong with the value, say this."""

    def check(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
        try:
            return handler(value)
        except (ValidationError, OSError):
            pass
        raise ValueError(f"must {rule}")

    return WrapValidator(check)


def _items(value: Any) -> list[Any]:
    """The parts of a list that is written with commas, spaces or both."""
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    return [item for item in re.split(r"[,\s]+", value) if item] if isinstance(value, str) else list(value)


def _each(check: Callable[[str], str], rule: str) -> BeforeValidator:
    """Check every item of a list, and say which one is wrong."""

    def split(value: Any) -> tuple[str, ...]:
        accepted: list[str] = []
        for position, item in enumerate(_items(value), start=1):
            try:
                accepted.append(check(item))
            except ValueError:
                raise ValueError(f"must be a list, separated by commas, of {rule}; item {position} is not") from None
        return tuple(dict.fromkeys(accepted))

    return BeforeValidator(split)


def _matching(pattern: re.Pattern[str], change: Callable[[str], str] = str) -> Callable[[str], str]:
    def check(value: str) -> str:
        value = change(value)
        if not pattern.fullmatch(value):
            raise ValueError
        return value

    return check


def _host(pattern: re.Pattern[str]) -> Callable[[str], str]:
    matching = _matching(pattern, str.lower)

    def check(value: str) -> str:
        host = matching(value)
        _ = urlsplit(f"//{host.rpartition('//')[2]}").port  # raises ValueError if it is none
        return host

    return check


def _lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


def _upper(value: Any) -> Any:
    return value.upper() if isinstance(value, str) else value


def _network(item: str) -> str:
    return item if item in {EVERYBODY, WITHOUT_ADDRESS} else str(ipaddress.ip_network(item))


def _networks(value: Any) -> Any:
    return () if value == NOBODY else value


def _origin(item: str) -> str:
    return item if item == EVERYBODY else _host(_ORIGIN)(item)


def _address(value: str) -> str:
    host = value.removeprefix("[").removesuffix("]")
    return str(ipaddress.ip_address(host)) if ":" in host else _matching(re.compile(_HOST), str.lower)(host)


def _url_parts(value: str) -> SplitResult:
    parts = urlsplit(value)
    _ = parts.port  # raises ValueError if it is none
    if parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc or " " in value:
        raise ValueError
    return parts


def _public_url(value: str) -> str:
    parts = _url_parts(value)
    if parts.query or parts.fragment:
        raise ValueError
    return value.rstrip("/")


def _issuer(item: str) -> str:
    parts = _url_parts(item)
    if parts.query or parts.fragment or (parts.scheme == "http" and not is_loopback(parts.netloc)):
        raise ValueError
    return item


def _service_url(value: str) -> str:
    parts = _url_parts(value)
    if parts.fragment or (parts.scheme == "http" and not is_loopback(parts.netloc)):
        raise ValueError
    return value


def _base_url(value: str) -> str:
    _url_parts(value)
    return value


def _issuer_url(value: str) -> str:
    parts = _url_parts(value)
    if parts.query or parts.fragment or (parts.scheme == "http" and not is_loopback(parts.netloc)):
        raise ValueError
    return value


def _scope_words(value: str) -> str:
    if not value.isprintable() or len(words_in(value)) < len([part for part in value.split(";") if part.strip()]):
        raise ValueError
    return value


def _store_url(*schemes: str) -> Callable[[SecretStr], SecretStr]:
    def check(value: SecretStr) -> SecretStr:
        parts = urlsplit(value.get_secret_value())
        _ = parts.port
        if parts.scheme not in schemes or (parts.scheme != "memory" and not parts.hostname):
            raise ValueError
        return value

    return check


def _kept_url(value: SecretStr) -> SecretStr:
    url = value.get_secret_value()
    scheme, _, rest = url.partition("://")
    if scheme == "sqlite":
        if not re.fullmatch(r"/[^?]*[^?/]", rest):
            raise ValueError
    elif scheme in {"postgresql", "postgres"}:
        _ = urlsplit(url).port  # the host may be missing: it is a socket then
    else:
        _store_url("memory", "redis", "rediss")(value)
    return value


def _folder(value: Path) -> Path:
    return value.expanduser().absolute()


def _name(value: str) -> str:
    if not value.isprintable():
        raise ValueError
    return value


def _secret(value: SecretStr) -> SecretStr:
    if not _IN_A_HEADER.fullmatch(value.get_secret_value()):
        raise ValueError
    return value


def _secrets(value: Any) -> tuple[SecretStr, ...]:
    return tuple(item if isinstance(item, SecretStr) else SecretStr(str(item)) for item in _items(value))


def _clients(value: str) -> str:
    """The JSON; what it says is for those to check who use it."""
    text = value if value.lstrip().startswith("[") else Path(value).expanduser().read_text(encoding="utf-8")
    TypeAdapter(list[dict[str, Any]]).validate_json(text)
    return text


def _rates(value: str) -> str:
    found = [_RATE.fullmatch(item.strip()) for item in re.split(r"[,;|]", value)]
    return ";".join(_rate(match) for match in found)


def _rates_or_off(value: str) -> str:
    return OFF if value.strip().lower() in _NO_RATE else _rates(value)


def _rate(match: re.Match[str] | None) -> str:
    if match is None:
        raise ValueError
    count, multiple, unit = match.groups()
    period = unit.lower() if multiple in {None, "1"} else f"{multiple} {unit.lower()}"
    return f"{count}/{period}"


Flag = Annotated[bool, must("be true or false")]
Port = Annotated[int, Field(ge=1, le=65_535), must("be a port, a whole number from 1 to 65535")]
Count = Annotated[int, Field(ge=1, le=999_999_999), must("be a whole number from 1 to 999999999")]
ByteCount = Annotated[
    int,
    Field(ge=1024, le=1024**3),
    must("be a number of bytes from 1024 to 1073741824, without a unit"),
]
Window = Annotated[int, Field(ge=1, le=86_400), must("be a whole number of seconds from 1 to 86400 (a day)")]
Seconds = Annotated[
    float, Field(gt=0, le=86_400, allow_inf_nan=False), must("be a number of seconds, more than 0 and at most 86400")
]
WholeSeconds = Annotated[int, Field(ge=0, le=3_600), must("be a whole number of seconds from 0 to 3600")]
Lifetime = Annotated[
    int, Field(ge=60, le=366 * 86_400), must("be a whole number of seconds from 60 to 31622400 (a year)")
]
Environment = Annotated[
    Literal["development", "staging", "production"],
    BeforeValidator(_lower),
    must("be development, staging or production"),
]
LogLevel = Annotated[
    Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"],
    BeforeValidator(_upper),
    must("be DEBUG, INFO, WARNING, ERROR or CRITICAL"),
]
LogFormat = Annotated[Literal["text", "json"], BeforeValidator(_lower), must("be text or json")]
Name = Annotated[
    str, Field(min_length=1, max_length=128), AfterValidator(_name), must("be a name of at most 128 characters")
]
Reference = Annotated[
    str,
    AfterValidator(_matching(_REFERENCE)),
    must("be a module or a file and the server in it, such as shop.tools:server or tools.py:server"),
]
Address = Annotated[
    str, AfterValidator(_address), must("be an address to listen on, such as 127.0.0.1, 0.0.0.0 or ::, without a port")
]
HostName = Annotated[
    str, AfterValidator(_address), must("be the name or the address of a host, such as redis, without a port")
]
Domain = Annotated[
    str,
    AfterValidator(_host(_HOST_AND_PORT)),
    must("be a host name such as api.example.com, without https:// and without a path"),
]
PublicUrl = Annotated[
    str,
    AfterValidator(_public_url),
    must("be an address such as https://api.example.com, without a password, a ? or a #"),
]
BaseUrl = Annotated[
    str, AfterValidator(_base_url), must("be an address such as https://shop.example.com/v1, without a password in it")
]
Hosts = Annotated[tuple[str, ...], _each(_host(_HOST_PATTERN), "hosts such as api.example.com or *.example.com")]
Origins = Annotated[tuple[str, ...], _each(_origin, "origins such as https://app.example.com, without a path, or *")]
Issuers = Annotated[tuple[str, ...], _each(_issuer, "addresses that begin with https://, without a ? or a #")]
ServiceUrl = Annotated[str, AfterValidator(_service_url), must("be an address that begins with https://")]
Audiences = Annotated[tuple[str, ...], _each(_matching(re.compile(r"[!-~]{1,512}")), "words without blanks")]
Scopes = Annotated[
    tuple[str, ...], _each(_matching(re.compile(r"[!#-\[\]-~]{1,128}")), "scopes, such as items:read, without quotes")
]
Methods = Annotated[tuple[str, ...], _each(_matching(re.compile("[A-Z]+"), str.upper), "HTTP methods such as POST")]
HeaderNames = Annotated[tuple[str, ...], _each(_matching(_TOKEN), "header names such as X-Requested-With")]
HeaderName = Annotated[str, AfterValidator(_matching(_TOKEN)), must("be the name of a header, such as X-Api-Key")]
Networks = Annotated[
    tuple[str, ...],
    _each(_network, "networks such as 10.0.0.0/8, addresses such as 127.0.0.1, or *"),
    BeforeValidator(_networks),
]
File = Annotated[FilePath, AfterValidator(Path.absolute), must("be the path of a file that exists")]
Folder = Annotated[Path, AfterValidator(_folder), must("be the path of a folder")]
Secret = Annotated[
    SecretStr,
    AfterValidator(_secret),
    must("consist of letters, digits and ASCII signs, without spaces and quotes"),
]
Secrets = Annotated[
    tuple[Annotated[SecretStr, AfterValidator(_secret)], ...],
    BeforeValidator(_secrets),
    must("consist of letters, digits and ASCII signs, without quotes; several are separated by commas or spaces"),
]
Password = Annotated[SecretStr, must("be text")]
Rates = Annotated[
    str, AfterValidator(_rates), must("be a rate such as 100/minute, or several such as 100/minute;5000/day")
]
RatesOrOff = Annotated[
    str,
    AfterValidator(_rates_or_off),
    must("be a rate such as 100/minute, several such as 100/minute;5000/day, or off"),
]
Clients = Annotated[
    str, AfterValidator(_clients), must("be a JSON array of objects, or the path of a file that holds one")
]
LoginWay = Annotated[
    Literal["users", "oidc", "github", "header", "auto"],
    BeforeValidator(_lower),
    must("be users, oidc, github, header or auto"),
]
IssuerUrl = Annotated[
    str,
    AfterValidator(_issuer_url),
    must("be the address of an issuer, such as https://login.example.com/realms/main, which begins with https://"),
]
Subjects = Annotated[
    tuple[str, ...], _each(_matching(_SUBJECT), "subjects, e-mail addresses or names, without spaces; or *")
]
EmailDomains = Annotated[tuple[str, ...], _each(_host(_DOMAIN), "domains such as example.com, without an @")]
ScopeWords = Annotated[
    str,
    AfterValidator(_scope_words),
    must("be scopes and what they allow, such as items:read=See the catalogue; items:write=Change it"),
]
Moment = Annotated[int, Field(ge=0, le=366 * 86_400), must("be a whole number of seconds from 0 to 31622400 (a year)")]
RedisUrl = Annotated[
    SecretStr,
    AfterValidator(_store_url("redis", "rediss")),
    must("be an address such as redis://redis:6379/0, or begin with rediss:// to use TLS"),
]
StorageUrl = Annotated[
    SecretStr,
    AfterValidator(_store_url("memory", "redis", "rediss")),
    must("be memory:// or an address such as redis://redis:6379/0"),
]
KeptUrl = Annotated[
    SecretStr,
    AfterValidator(_kept_url),
    must("be an address such as sqlite:////var/lib/mcp.db, postgresql://user:PASSWORD@host/database, redis://redis"),
]
