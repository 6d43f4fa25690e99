"""The accounts of this server, in its store. Knows nothing of HTTP: the command has them too.

An account is one record, and every change replaces the record that was read: of two who use one code at the same time,
one succeeds. Names are compared without regard to case.
"""

from __future__ import annotations

import json
import logging
import re
import time
import unicodedata
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from mcp_server.oauth.approvals import Person
from mcp_server.oauth.login import totp
from mcp_server.oauth.login.locker import Locked, Locker
from mcp_server.stores.rules import Clock
from mcp_server.stores.store import Store

if TYPE_CHECKING:
    from mcp_server.oauth.login.passwords import Passwords

logger = logging.getLogger("mcp_server.oauth.login")

KIND: Final = "login-user"
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,63}", re.ASCII)
_PAGE: Final = 100
_ATTEMPTS: Final = 5


@dataclass(frozen=True, slots=True)
class Account:
    """What is kept of a user."""

    name: str
    shown: str
    password: str
    """A digest."""
    secret: str | None = None
    """For one-time codes; locked."""
    step: int = 0
    """The last step whose code was used."""
    recovery: tuple[str, ...] = ()
    """Digests of the recovery codes that are left."""

    @property
    def person(self) -> Person:
        """Who that is for everybody else."""
        return Person(subject_of(self.name), self.shown or self.name)


def subject_of(name: str) -> str:
    """The lasting name of a user of this server."""
    return f"local:{name}"


def name_of(text: str) -> str | None:
    """The name of a user as it is stored, or None if nobody can be called so."""
    name = unicodedata.normalize("NFKC", text[:200]).strip().casefold()
    return name if _NAME.fullmatch(name) else None


class Users:
    """The accounts in a store."""

    def __init__(
        self, store: Store, passwords: Passwords, locker: Locker | None = None, *, clock: Clock = time.time
    ) -> None:
        self._store = store
        self._passwords = passwords
        self._locker = locker or Locker()
        self._clock = clock

    async def add(self, name: str, password: str, shown: str = "") -> bool:
        """Make an account; False if there is one of this name."""
        account = Account(name, shown, await self._passwords.digest(password))
        return await self._store.add(KIND, name, _written(account), lifetime=None)

    async def remove(self, name: str) -> bool:
        """Remove an account; False if there is none."""
        return await self._store.delete(KIND, name)

    async def get(self, name: str) -> Account | None:
        """The account of a name."""
        record = await self._store.get(KIND, name)
        return None if record is None else _read(record.value)

    async def all(self) -> AsyncIterator[Account]:
        """Every account, in the order of their names."""
        last = ""
        while page := await self._store.find(KIND, after=last, limit=_PAGE):
            for record in page:
                yield _read(record.value)
            last = page[-1].key

    async def set_password(self, name: str, password: str) -> bool:
        """Replace the password; False if there is no such account."""
        digest = await self._passwords.digest(password)
        return await self._change(name, lambda account: replace(account, password=digest))

    async def set_codes(self, name: str, secret: str | None, recovery: list[str]) -> bool:
        """Demand one-time codes from now on, or no longer; False if there is no such account.

        Raises:
            Locked: There is no key with which the secret could be locked.
        """
        digests = tuple(totp.recovery_digest(code) for code in recovery)
        locked = None if secret is None else self._locker.lock(secret, name)
        return await self._change(name, lambda account: replace(account, secret=locked, step=0, recovery=digests))

    async def lock_anew(self) -> tuple[int, list[str]]:
        """Lock every secret with the first key; gives how many were locked with another, and whose do not open."""
        changed, left = 0, list[str]()
        async for account in self.all():
            if account.secret is None or self._locker.is_current(account.secret, account.name):
                continue
            try:
                changed += await self._change(account.name, self._locked_anew)
            except Locked:
                left.append(account.name)
        return changed, left

    async def check_password(self, name: str | None, password: str) -> Account | None:
        """The account, if this is its password. Takes as long if there is no such account."""
        account = None if name is None else await self.get(name)
        if not await self._passwords.matches(account and account.password, password) or account is None:
            return None
        if self._passwords.is_dated(account.password):
            await self.set_password(account.name, password)
        return account

    async def check_code(self, name: str, code: str) -> bool:
        """Use a one-time code or a recovery code up; False if it is none, or has been used."""
        typed = "".join(unicodedata.normalize("NFKC", code).split())
        return await self._change(name, lambda account: self._used(account, typed))

    def _used(self, account: Account, code: str) -> Account | None:
        if account.secret is None:
            return None
        try:
            secret = self._locker.open(account.secret, account.name)
        except Locked:
            text = "the codes of %s cannot be checked: no key in OAUTH_TOTP_KEY opens their secret"
            logger.error(text, account.name)  # noqa: TRY400 - the text says it all
        else:
            step = totp.step_of(secret, code, self._clock(), after=account.step)
            if step is not None:
                return replace(self._locked_anew(account), step=step)
        digest = totp.recovery_digest(code)
        if digest not in account.recovery:
            return None
        return replace(account, recovery=tuple(each for each in account.recovery if each != digest))

    def _locked_anew(self, account: Account) -> Account:
        """The account with its secret under the first key."""
        if account.secret is None or self._locker.is_current(account.secret, account.name):
            return account
        return replace(account, secret=self._locker.lock(self._locker.open(account.secret, account.name), account.name))

    async def _change(self, name: str, change: Callable[[Account], Account | None]) -> bool:
        """Replace an account by what `change` makes of it; False if there is none, or nothing is to be made of it."""
        for _ in range(_ATTEMPTS):
            record = await self._store.get(KIND, name)
            changed = None if record is None else change(_read(record.value))
            if record is None or changed is None:
                return False
            if await self._store.swap(KIND, name, record.value, _written(changed), lifetime=None):
                return True
        return False


def _written(account: Account) -> bytes:
    return json.dumps(asdict(account)).encode()


def _read(value: bytes) -> Account:
    kept: dict[str, Any] = json.loads(value)
    kept["recovery"] = tuple(kept["recovery"])
    return Account(**kept)
