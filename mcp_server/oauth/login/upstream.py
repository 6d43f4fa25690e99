"""An account elsewhere: what every provider has in common."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final, Protocol, cast, runtime_checkable
from urllib.parse import urlsplit

import httpx2

from mcp_server.oauth.approvals import Person
from mcp_server.settings.meanings import is_loopback

_PATIENCE: Final = 10.0
_LARGEST: Final = 1024 * 1024
EVERYBODY: Final = "*"


class ProviderFailed(Exception):  # noqa: N818 - it is what has happened
    """The provider did not answer, or said what cannot be believed; the words are for the log."""


class SecretRefused(ProviderFailed):
    """The provider does not take this server for what it says it is; perhaps the secret came in the wrong place."""


class NotAdmitted(Exception):  # noqa: N818 - it is what has happened
    """The provider knows the person, and this server does not let them in."""


@dataclass(frozen=True, slots=True)
class Errand:
    """A sign-in that has been sent to a provider, and must come back the same."""

    redirect_uri: str
    state: str
    nonce: str
    verifier: str

    @property
    def challenge(self) -> str:
        """What the provider is told of the verifier."""
        digest = hashlib.sha256(self.verifier.encode()).digest()
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")


@runtime_checkable
class Provider(Protocol):
    """Where people have their accounts."""

    @property
    def name(self) -> str:
        """What sets it apart from other ways."""
        ...

    @property
    def shown(self) -> str:
        """What people call it."""
        ...

    async def address(self, errand: Errand, *, fresh: bool) -> str:
        """Where the browser is to go; `fresh` if the person wants another account than the last.

        Raises:
            ProviderFailed: It cannot be found out.
        """
        ...

    async def person(self, errand: Errand, answer: Mapping[str, str]) -> Person:
        """Who came back, with what the provider gave the browser.

        Raises:
            ProviderFailed: The provider does not confirm it.
            NotAdmitted: The person is none of those who are let in.
        """
        ...


@dataclass(frozen=True, slots=True)
class Admitted:
    """Who of all the people of a provider is let in; everybody, if nothing is said."""

    subjects: frozenset[str] = frozenset()
    """Subjects, or e-mail addresses that the provider has verified."""
    domains: frozenset[str] = frozenset()
    """Of verified e-mail addresses."""

    @classmethod
    def of(cls, subjects: Iterable[str], domains: Iterable[str]) -> Admitted:
        """As an operator writes them."""
        return cls(frozenset(subjects), frozenset(domain.casefold() for domain in domains))

    @property
    def needs_email(self) -> bool:
        """Whether an e-mail address can decide."""
        return bool(self.domains) or any("@" in subject for subject in self.subjects)

    def check(self, names: Iterable[str], email: str | None) -> None:
        """Let somebody pass who is one of them.

        Args:
            names: Under which the provider knows them.
            email: Their address, if the provider has verified it.

        Raises:
            NotAdmitted: They are not.
        """
        if EVERYBODY in self.subjects or not (self.subjects or self.domains):
            return
        if not self.subjects.isdisjoint(names):
            return
        if email is not None and email.count("@") == 1:
            email = email.casefold()
            if email.rpartition("@")[2] in self.domains or email in {each.casefold() for each in self.subjects}:
                return
        raise NotAdmitted


async def fetched(
    method: str,
    url: str,
    *,
    data: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    auth: tuple[str, str] | None = None,
) -> Any:
    """The JSON that a provider answers with; no redirect is followed, and nothing large or slow is waited for.

    Raises:
        ProviderFailed: It does not answer so.
    """
    check_address(url)
    sent = {"accept": "application/json", **(headers or {})}
    try:
        async with (
            httpx2.AsyncClient(timeout=_PATIENCE, follow_redirects=False) as client,
            client.stream(method, url, data=data, headers=sent, auth=auth) as response,
        ):
            body = bytearray()
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > _LARGEST:
                    msg = "its answer is too large"
                    raise ProviderFailed(msg)
    except httpx2.HTTPError as error:
        msg = f"{urlsplit(url).netloc} did not answer: {type(error).__name__}"
        raise ProviderFailed(msg) from None
    if response.status_code != HTTPStatus.OK:
        msg = f"{urlsplit(url).netloc} answered with {response.status_code}{_reason(bytes(body))}"
        raise (SecretRefused if response.status_code == HTTPStatus.UNAUTHORIZED else ProviderFailed)(msg)
    try:
        return json.loads(bytes(body))
    except ValueError:
        msg = f"{urlsplit(url).netloc} did not answer with JSON"
        raise ProviderFailed(msg) from None


def check_address(url: str) -> None:
    """Let an address pass that may be asked: https, or this machine.

    Raises:
        ProviderFailed: It may not.
    """
    parts = urlsplit(url)
    if not (parts.scheme == "https" and parts.hostname) and not (parts.scheme == "http" and is_loopback(parts.netloc)):
        msg = "it names an address that is not https"
        raise ProviderFailed(msg)


def mapping(found: Any) -> dict[str, Any]:
    """An answer that must be an object.

    Raises:
        ProviderFailed: It is none.
    """
    if not isinstance(found, dict):
        msg = "its answer is no object"
        raise ProviderFailed(msg)
    return cast("dict[str, Any]", found)


def text(found: Mapping[str, Any], name: str) -> str:
    """A member that must be text.

    Raises:
        ProviderFailed: It is none.
    """
    value = found.get(name)
    if not isinstance(value, str) or not value:
        msg = f"its answer has no {name}"
        raise ProviderFailed(msg)
    return value


def _reason(body: bytes) -> str:
    """The error that a provider names, if it is a plain word; what else it says may hold secrets."""
    try:
        found = json.loads(body)
    except ValueError:
        return ""
    error: object = cast("dict[str, object]", found).get("error") if isinstance(found, dict) else None
    return f" ({error})" if isinstance(error, str) and error.replace("_", "").isalnum() and len(error) <= 60 else ""  # noqa: PLR2004 - longer than any registered error
