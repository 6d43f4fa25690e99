"""GitHub, which is no OpenID provider: a token is exchanged for what its API says of the person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast
from urllib.parse import urlencode

from mcp_server.oauth.approvals import Person
from mcp_server.oauth.login.shown import clean
from mcp_server.oauth.login.upstream import Admitted, Errand, ProviderFailed, fetched, mapping, text

_SITE: Final = "https://github.com"
_API: Final = "https://api.github.com"


class GitHub:
    """Signs people in at GitHub.

    A person is their number: names can be given up and taken by somebody else. Those who are let in may be named by
    number (`id:583231`), by name, or by verified e-mail address.
    """

    name = "github"
    shown = "GitHub"

    def __init__(
        self, client_id: str, client_secret: str, admitted: Admitted, *, site: str = _SITE, api: str = _API
    ) -> None:
        self._id = client_id
        self._secret = client_secret
        self._admitted = Admitted(frozenset(each.casefold() for each in admitted.subjects), admitted.domains)
        self._site = site
        self._api = api

    async def address(self, errand: Errand, *, fresh: bool) -> str:
        """GitHub's page."""
        query = {
            "client_id": self._id,
            "redirect_uri": errand.redirect_uri,
            "scope": "read:user user:email" if self._admitted.needs_email else "read:user",
            "state": errand.state,
            "code_challenge": errand.challenge,
            "code_challenge_method": "S256",
            **({"prompt": "select_account"} if fresh else {}),
        }
        return f"{self._site}/login/oauth/authorize?{urlencode(query)}"

    async def person(self, errand: Errand, answer: Mapping[str, str]) -> Person:
        """Who came back."""
        data = {
            "client_id": self._id,
            "client_secret": self._secret,
            "code": answer.get("code", ""),
            "redirect_uri": errand.redirect_uri,
            "code_verifier": errand.verifier,
        }
        tokens = mapping(await fetched("POST", f"{self._site}/login/oauth/access_token", data=data))
        token = text(tokens, "access_token")
        user = mapping(await self._asked("/user", token))
        number, login = user.get("id"), text(user, "login")
        if not isinstance(number, int) or isinstance(number, bool):
            msg = "its answer has no id"
            raise ProviderFailed(msg)
        email = await self._email(token) if self._admitted.needs_email else None
        self._admitted.check([f"id:{number}", login.casefold()], email)
        name: object = user.get("name")
        called = clean(name) if isinstance(name, str) else ""
        return Person(f"github:{number}", f"{called} ({clean(login)})" if called else clean(login))

    async def _email(self, token: str) -> str | None:
        """The address that GitHub has verified and the person uses first."""
        found = await self._asked("/user/emails", token)
        if not isinstance(found, list):
            return None
        for entry in cast("list[object]", found):
            known = cast("dict[str, Any]", entry) if isinstance(entry, dict) else {}
            email: object = known.get("email")
            if known.get("primary") is True and known.get("verified") is True and isinstance(email, str):
                return email
        return None

    async def _asked(self, path: str, token: str) -> Any:
        headers = {"authorization": f"Bearer {token}", "x-github-api-version": "2022-11-28"}
        return await fetched("GET", f"{self._api}{path}", headers=headers)
