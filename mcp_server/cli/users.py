"""`mcp-server users`: the accounts with which people sign in, in the store of the server.

What changes an account ends its sessions. A removed account and a new password also end what their user has allowed
clients to do, so that whoever is to be kept out is out.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

import click

from mcp_server.cli.kept import with_store
from mcp_server.cli.problem import Problem

if TYPE_CHECKING:
    from mcp_server.oauth.login.users import Account, Users
    from mcp_server.settings import Settings
    from mcp_server.stores import Store

T = TypeVar("T")

_NAMED: Final = click.argument("name")
_FROM_STDIN: Final = click.option(
    "--password-stdin", "from_stdin", is_flag=True, help="Read the password from standard input, one line."
)


_NO_KEY: Final = (
    "It encrypts the secrets of authenticator apps in the store. Make one with: openssl rand -hex 32, and set it for "
    "this command and for the server."
)


@click.group("users")
def command() -> None:
    """Who can sign in, if OAUTH_LOGIN is users.

    They are kept where STORE_URL says, in the environment or in a .env file here.
    """


@command.command("add")
@_NAMED
@click.option("--shown", default="", metavar="TEXT", help="What to call them on the pages.")
@_FROM_STDIN
def add(name: str, shown: str, *, from_stdin: bool) -> None:
    """Make an account."""
    name = _name(name)
    password = _new_password(name, from_stdin=from_stdin)

    async def make(users: Users, _store: Store) -> None:
        if not await users.add(name, password, shown):
            raise Problem(
                f"There is a user {name} already", f"Change the password with: mcp-server users password {name}"
            )

    _with_users(make)
    click.echo(f"Added {name}.")


@command.command("list")
def listed() -> None:
    """List the accounts."""
    from mcp_server.cli.printing import harmless, table

    async def collect(users: Users, _store: Store) -> list[Account]:
        return [account async for account in users.all()]

    accounts = _with_users(collect)
    if not accounts:
        click.echo("There are no users. Make one with: mcp-server users add NAME")
        return
    rows = [
        (each.name, "password and code" if each.secret else "password", harmless(each.shown) or "-")
        for each in accounts
    ]
    click.echo(table(("NAME", "SIGNS IN WITH", "SHOWN AS"), rows))


@command.command("remove")
@_NAMED
def remove(name: str) -> None:
    """Remove an account, and end its sessions and all tokens that clients have of its user.

    If it is interrupted, run it again: what an account that is gone has left is ended as well.
    """
    name = _name(name)

    async def delete(users: Users, store: Store) -> Ended:
        # The account first, so that there is nothing new while the rest is ended.
        found = await users.remove(name)
        ended = await end_all(store, name)
        if ended == Ended():
            _check_found(name, found=found)
        return ended

    click.echo(f"Removed {name}. {_with_users(delete)}")


@command.command("password")
@_NAMED
@_FROM_STDIN
@click.option("--keep-tokens", is_flag=True, help="End the sessions alone; what clients were allowed to do lasts.")
def password(name: str, *, from_stdin: bool, keep_tokens: bool) -> None:
    """Replace a password, and end the sessions of its user and all tokens that clients have of them."""
    name = _name(name)
    new = _new_password(name, from_stdin=from_stdin)

    async def change(users: Users, store: Store) -> Ended:
        _check_found(name, found=await users.set_password(name, new))
        return await (end_sessions if keep_tokens else end_all)(store, name)

    click.echo(f"Changed the password of {name}. {_with_users(change)}")


@command.command("totp")
@_NAMED
@click.option("--off", is_flag=True, help="Demand no code any more.")
@click.option("--unconfirmed", is_flag=True, help="Do not ask for a code first, which shows that the app has it right.")
def totp(name: str, *, off: bool, unconfirmed: bool) -> None:
    """Demand a code from an authenticator app beside the password."""
    name = _name(name)
    if off:
        _with_users(lambda users, store: _set_codes(users, store, name, None, []))
        click.echo(f"{name} signs in with the password alone.")
        return
    _with_users(lambda users, _store: _exists(users, name))
    if not _settings().totp_keys:
        raise Problem("OAUTH_TOTP_KEY is not set", _NO_KEY)
    from mcp_server.oauth.login import totp as codes

    secret, recovery = codes.new_secret(), codes.new_recovery_codes()
    click.echo("Add this to an authenticator app, as it is or as a QR code:\n")
    click.echo(f"  {codes.uri(secret, name, _issuer())}\n")
    if not unconfirmed:
        _confirm(secret)
    _with_users(lambda users, store: _set_codes(users, store, name, secret, recovery))
    click.echo(f"{name} signs in with a code from now on. Without the app, each of these is good once:\n")
    click.echo("\n".join(f"  {code}" for code in recovery))


@command.command("rekey")
def rekey() -> None:
    """Encrypt the secrets of all authenticator apps with the first key in OAUTH_TOTP_KEY.

    Afterwards the keys behind it are not needed any more.
    """
    if not _settings().totp_keys:
        raise Problem("OAUTH_TOTP_KEY is not set", _NO_KEY)
    changed, left = _with_users(lambda users, _store: users.lock_anew())
    click.echo(f"Encrypted anew: {changed}.")
    if left:
        raise Problem(
            f"No key in OAUTH_TOTP_KEY opens the secrets of {', '.join(left)}",
            "Add the key that does, or give them new ones with: mcp-server users totp NAME",
        )


def _confirm(secret: str) -> None:
    import time

    from mcp_server.oauth.login import totp as codes

    code = click.prompt("The code that it shows now", err=True)
    if codes.step_of(secret, "".join(code.split()), time.time(), after=0) is None:
        raise Problem("That is not the code", "Nothing was changed. Check the clocks of both devices and start again.")


async def _exists(users: Users, name: str) -> None:
    _check_found(name, found=await users.get(name) is not None)


async def _set_codes(users: Users, store: Store, name: str, secret: str | None, recovery: list[str]) -> None:
    _check_found(name, found=await users.set_codes(name, secret, recovery))
    await end_sessions(store, name)


@dataclass(frozen=True, slots=True)
class Ended:
    """How much of somebody's was ended; written as a sentence."""

    sessions: int = 0
    consents: int = 0
    grants: int = 0

    def __str__(self) -> str:
        counts = (
            (self.sessions, "session"),
            (self.grants, "grant"),
            (self.consents, "remembered consent"),
        )
        return "Ended: " + ", ".join(f"{count} {what}{'' if count == 1 else 's'}" for count, what in counts) + "."


async def end_sessions(store: Store, name: str) -> Ended:
    """End a user's sessions; what clients may do in their name goes on."""
    from mcp_server.oauth.login.sessions import SESSION, forget
    from mcp_server.oauth.login.users import subject_of

    return Ended(sessions=await forget(store, subject_of(name), [SESSION]))


async def end_all(store: Store, name: str) -> Ended:
    """End a user's sessions, consents and tokens."""
    from mcp_server.oauth.login.sessions import CONSENT, forget
    from mcp_server.oauth.login.users import subject_of
    from mcp_server.oauth.server.grants import end_grants

    # Grants last: whoever is in the middle of a page has no session any more when theirs are looked for.
    ended = await end_sessions(store, name)
    consents = await forget(store, subject_of(name), [CONSENT])
    return replace(ended, consents=consents, grants=await end_grants(store, subject=subject_of(name)))


def _check_found(name: str, *, found: bool) -> None:
    if not found:
        raise Problem(f"There is no user {name}", "See who there is with: mcp-server users list")


def _name(text: str) -> str:
    from mcp_server.oauth.login.users import name_of

    name = name_of(text)
    if name is None:
        raise Problem("Nobody can be called so", "A name has letters, digits and . _ @ + -, 64 at most, no spaces.")
    return name


def _new_password(name: str, *, from_stdin: bool) -> str:
    if from_stdin:
        found = sys.stdin.readline().rstrip("\r\n")
    else:
        found: str = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    from mcp_server.oauth.login.passwords import fault_in

    fault = fault_in(found, name)
    if fault is not None:
        raise Problem("This password will not do", fault)
    return found


def _issuer() -> str:
    settings = _settings()
    return settings.app_name or settings.domain or "mcp-server"


def _with_users(work: Callable[[Users, Store], Awaitable[T]]) -> T:
    """Do something with the accounts in the store that is configured."""
    from mcp_server.oauth.login.locker import Locker
    from mcp_server.oauth.login.passwords import Passwords
    from mcp_server.oauth.login.users import Users

    async def with_users(store: Store, settings: Settings) -> T:
        return await work(Users(store, Passwords(), Locker(settings.totp_keys)), store)

    return with_store(with_users)


def _settings() -> Settings:
    from mcp_server.settings import SettingsError, load_settings

    try:
        return load_settings(Path(".env"), listening=False)
    except SettingsError as error:
        raise Problem("The settings cannot be used", str(error)) from None
