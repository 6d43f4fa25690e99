"""The pages for those who have their account elsewhere: away to the provider, and back.

Each departure is one record: it is taken when the browser is back, so that an answer is good once, and only in the
browser that was sent. That keeps an attacker from signing somebody in as themselves.
"""

from __future__ import annotations

import hmac
import json
import logging
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from mcp_server.oauth.login import pages
from mcp_server.oauth.login.desk import CALLBACK, CONSENT, SIGN_IN, START, Desk
from mcp_server.oauth.login.sessions import digest_of, new_id
from mcp_server.oauth.login.stops import Link, Stop
from mcp_server.oauth.login.upstream import Errand, NotAdmitted, Provider, ProviderFailed
from mcp_server.stores.store import Store

logger = logging.getLogger("mcp_server.oauth.login")

ERRAND: Final = "login-errand"
_LIFETIME: Final = 600


class LeavingFor:
    """Signs in at a provider."""

    def __init__(self, desk: Desk, store: Store, provider: Provider) -> None:
        self._desk = desk
        self._store = store
        self._provider = provider

    async def show(self, request: Request) -> Response:
        """Say where the person signs in."""
        pending = await self._desk.pending(request.query_params.get("request", ""))
        visitor = await self._desk.visitor(request)
        if visitor.person is not None:
            return self._desk.go(self._desk.options.path(CONSENT, request=pending.id))
        start = self._start(pending.id, fresh="fresh" in request.query_params)
        return self._desk.page(
            pages.sign_in_elsewhere(self._desk.options, self._provider.shown, start, pending), visitor
        )

    async def start(self, request: Request) -> Response:
        """Send the browser there."""
        pending = await self._desk.pending(request.query_params.get("request", ""))
        visitor = await self._desk.visitor(request)
        errand = Errand(self._desk.options.url(CALLBACK), state=new_id(), nonce=new_id(), verifier=new_id())
        try:
            address = await self._provider.address(errand, fresh="fresh" in request.query_params)
        except ProviderFailed as failure:
            raise self._failed(failure, pending.id) from None
        value = json.dumps(
            {
                "request": pending.id,
                "nonce": errand.nonce,
                "verifier": errand.verifier,
                "browser": digest_of(visitor.browser),
                "provider": self._provider.name,
            }
        )
        await self._store.put(ERRAND, digest_of(errand.state), value.encode(), lifetime=_LIFETIME)
        return self._desk.go(address, *self._desk.start_cookie(visitor))

    async def finish(self, request: Request) -> Response:
        """Receive the browser when it is back."""
        answer = dict(request.query_params)
        state = answer.get("state", "")
        if len(request.query_params.multi_items()) > len(answer):  # which of two states, or of two issuers?
            raise _not_ours()
        record = await self._store.take(ERRAND, digest_of(state))
        if record is None:
            raise _not_ours()
        kept = json.loads(record.value)
        visitor = await self._desk.visitor(request)
        same = hmac.compare_digest(kept["browser"], digest_of(visitor.browser))
        if not same or kept["provider"] != self._provider.name:
            raise _not_ours()
        if "error" in answer or "code" not in answer:
            text = f"{self._provider.shown} did not sign you in, or you have changed your mind."
            raise Stop(403, "You were not signed in", text, link=self._again(kept["request"]))
        errand = Errand(self._desk.options.url(CALLBACK), state, kept["nonce"], kept["verifier"])
        try:
            person = await self._provider.person(errand, answer)
        except ProviderFailed as failure:
            raise self._failed(failure, kept["request"]) from None
        except NotAdmitted:
            logger.info("somebody whom %s knows is not among those who are let in", self._provider.shown)
            text = f"{self._provider.shown} knows you, but this account may not use this server. Ask its operator."
            raise Stop(403, "This account is not let in", text, link=self._again(kept["request"])) from None
        return await self._desk.signed_in(visitor, person, kept["request"])

    def _start(self, identity: str, *, fresh: bool = False) -> str:
        return self._desk.options.path(START, request=identity, fresh="1" if fresh else "")

    def _failed(self, failure: ProviderFailed, identity: str) -> Stop:
        logger.warning("signing in at %s failed: %s", self._provider.shown, failure)
        text = f"{self._provider.shown} could not confirm who you are. Try once more; if it stays so, ask the operator."
        return Stop(502, "Signing in did not work", text, link=self._again(identity))

    def _again(self, identity: str) -> Link:
        return Link(self._desk.options.path(SIGN_IN, request=identity, fresh="1"), "Try once more")


def _not_ours() -> Stop:
    text = (
        "This answer does not belong to a sign-in that was begun in this browser, or it has been used. "
        "Go back to the application from which you came, and connect once more."
    )
    return Stop(400, "That sign-in was not begun here", text)
