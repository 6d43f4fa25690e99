"""The pages for those who have an account at this server: name and password, then a code if they use one."""

from __future__ import annotations

import hmac
import json
import logging
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from mcp_server.oauth.approvals import Pending
from mcp_server.oauth.login import pages, stops
from mcp_server.oauth.login.desk import CODE, CONSENT, SIGN_IN, Desk, Visitor
from mcp_server.oauth.login.pages import Form
from mcp_server.oauth.login.sessions import digest_of, new_id
from mcp_server.oauth.login.stops import Link, Stop
from mcp_server.oauth.login.tries import Tries
from mcp_server.oauth.login.users import Account, Users, name_of, subject_of
from mcp_server.stores.store import Store

logger = logging.getLogger("mcp_server.oauth.login")

TICKET: Final = "login-ticket"
_TICKET_LIFETIME: Final = 300
_WRONG: Final = "That user name and password do not belong together."
_WRONG_CODE: Final = (
    "That code is not right, or it has been used. Wait for the next one, and check the clock of your device."
)


class SigningIn:
    """Signs in by password.

    Whoever has given the right password and owes a code has a ticket, which only the same browser can use.
    """

    def __init__(self, desk: Desk, store: Store, users: Users, tries: Tries) -> None:
        self._desk = desk
        self._store = store
        self._users = users
        self._tries = tries

    async def show(self, request: Request) -> Response:
        """Ask for the password."""
        pending = await self._desk.pending(request.query_params.get("request", ""))
        visitor = await self._desk.visitor(request)
        if visitor.person is not None:
            return self._desk.go(self._desk.options.path(CONSENT, request=pending.id))
        return self._password_page(visitor, pending)

    async def password(self, request: Request) -> Response:
        """Look at a password."""
        form = await self._desk.posted(request)
        pending = await self._desk.pending(form.get("request", ""))
        visitor = await self._desk.visitor(request)
        self._desk.check(visitor, form, "sign in", pending.id)
        typed = form.get("name", "")
        address = self._desk.address(request)
        wait = await self._tries.password(name_of(typed) or typed, address)
        if wait is not None:
            logger.warning("too many tries to sign in, the last from %s", address)
            raise stops.too_many(wait)
        account = await self._users.check_password(name_of(typed), form.get("password", ""))
        if account is None:
            logger.info("a wrong user name or password from %s", address)
            return self._password_page(visitor, pending, fault=_WRONG, typed=typed)
        if account.secret is None:
            return await self._desk.signed_in(visitor, account.person, pending.id)
        return await self._ask_for_code(visitor, account, pending)

    async def code(self, request: Request) -> Response:
        """Look at a code."""
        form = await self._desk.posted(request)
        pending = await self._desk.pending(form.get("request", ""))
        visitor = await self._desk.visitor(request)
        ticket = form.get("ticket", "")
        self._desk.check(visitor, form, "code", pending.id, ticket)
        key = digest_of(ticket)
        name = await self._owner_of(key, visitor, pending)
        wait = await self._tries.code(subject_of(name))
        if wait is not None:
            logger.warning("too many wrong codes for %s", subject_of(name))
            await self._store.delete(TICKET, key)
            raise stops.too_many(wait)
        if not await self._users.check_code(name, form.get("code", "")):
            return self._code_page(visitor, pending, ticket, fault=_WRONG_CODE)
        account = await self._users.get(name)
        if await self._store.take(TICKET, key) is None or account is None:
            raise self._late(pending)
        return await self._desk.signed_in(visitor, account.person, pending.id)

    async def _ask_for_code(self, visitor: Visitor, account: Account, pending: Pending) -> Response:
        ticket = new_id()
        value = json.dumps({"name": account.name, "password": account.password, "browser": digest_of(visitor.key)})
        await self._store.put(
            TICKET, digest_of(ticket), value.encode(), lifetime=_TICKET_LIFETIME, owner=subject_of(account.name)
        )
        return self._code_page(visitor, pending, ticket)

    async def _owner_of(self, key: str, visitor: Visitor, pending: Pending) -> str:
        record = await self._store.get(TICKET, key)
        if record is None:
            raise self._late(pending)
        kept = json.loads(record.value)
        if not hmac.compare_digest(kept["browser"], digest_of(visitor.key)):
            raise stops.forged()
        account = await self._users.get(kept["name"])
        if account is None or account.password != kept["password"]:  # changed since
            raise self._late(pending)
        return account.name

    def _late(self, pending: Pending) -> Stop:
        link = Link(self._desk.options.path(SIGN_IN, request=pending.id), "Sign in")
        text = "Too much time has passed since you gave your password."
        return Stop(403, "Sign in once more", text, link=link)

    def _password_page(self, visitor: Visitor, pending: Pending, *, fault: str = "", typed: str = "") -> Response:
        token = self._desk.token(visitor, "sign in", pending.id)
        form = Form(self._desk.options.path(SIGN_IN), token, pending.id)
        html = pages.sign_in(self._desk.options, form, pending, fault=fault, typed=typed)
        return self._desk.page(html, visitor, status=403 if fault else 200)

    def _code_page(self, visitor: Visitor, pending: Pending, ticket: str, *, fault: str = "") -> Response:
        token = self._desk.token(visitor, "code", pending.id, ticket)
        form = Form(self._desk.options.path(CODE), token, pending.id, ticket)
        html = pages.second_step(self._desk.options, form, fault=fault)
        return self._desk.page(html, visitor, status=403 if fault else 200)
