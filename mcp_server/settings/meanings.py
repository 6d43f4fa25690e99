"""What accepted values say, for those who act on them.

Must not know which variable a value is of, nor how it was accepted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, TypeVar
from urllib.parse import unquote, urlsplit

T = TypeVar("T")

EVERYBODY: Final = "*"
NOBODY: Final = "none"
OFF: Final = "off"
"""How a limit is said that is none."""
WITHOUT_ADDRESS: Final = "unknown"
"""A proxy that connects through a Unix socket."""
_SECONDS: Final = {"second": 1, "minute": 60, "hour": 3_600, "day": 86_400}
_SCOPE: Final = re.compile(r"[!#-\[\]-~]+", re.ASCII)


def words_in(text: str) -> dict[str, str]:
    """What each scope of an accepted text allows, in words."""
    pairs = [part.partition("=") for part in text.split(";")]
    named = {name.strip(): words.strip() for name, _, words in pairs}
    return {name: words for name, words in named.items() if words and _SCOPE.fullmatch(name)}


def rates_in(text: str) -> list[tuple[int, int]]:
    """Each rate of an accepted text: so many in so many seconds."""
    found: list[tuple[int, int]] = []
    for rate in text.split(";") if text != OFF else ():
        count, _, period = rate.partition("/")
        multiple, _, unit = period.rpartition(" ")
        found.append((int(count), int(multiple or 1) * _SECONDS[unit]))
    return found


def host_of(url: str) -> str:
    """The host of an address, with its port if it names one."""
    return urlsplit(url).netloc.lower()


def secrets_in_url(url: str) -> list[str]:
    """A URL with a password is one secret and its password is another; without one it is no secret."""
    password = urlsplit(url).password
    return [url, unquote(password)] if password else []


def is_loopback(host: str) -> bool:
    """Whether a host, with or without a port, is this machine under its own name."""
    name = urlsplit(f"//{host}").hostname or ""
    return name in {"localhost", "::1"} or name.endswith(".localhost") or bool(re.fullmatch(r"127(\.\d+){3}", name))


def unique(items: Iterable[T]) -> tuple[T, ...]:
    """The items in their order, each once."""
    return tuple(dict.fromkeys(items))
