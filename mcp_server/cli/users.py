"""`mcp-server users`: the accounts with which people sign in, in the store of the server.

What changes an account ends its sessions.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

import click

from mcp_server.cli.problem import Problem

if TYPE_CHECKING:
    from mcp_server.oauth.login.users import Account, Users
    from mcp_server.stores import Store

T = TypeVar("T")

_NAMED: Final = click.argument("name")
_FROM_STDIN: Final = click.option(
    "--password-stdin", "from_stdin", is_flag=True, help="Read the password from standard input, one line."
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
    """Remove an account, and end its sessions."""
    name = _name(name)

    async def delete(users: Users, store: Store) -> None:
        from mcp_server.oauth.login.sessions import forget
        from mcp_server.oauth.login.users import subject_of

        found = await users.remove(name)
        await forget(store, subject_of(name))
        _check_found(name, found=found)

    _with_users(delete)
    click.echo(f"Removed {name}.")


@command.command("password")
@_NAMED
@_FROM_STDIN
def password(name: str, *, from_stdin: bool) -> None:
    """Replace a password, and end the sessions of its user."""
    name = _name(name)
    new = _new_password(name, from_stdin=from_stdin)

    async def change(users: Users, store: Store) -> None:
        _check_found(name, found=await users.set_password(name, new))
        await _end_sessions(store, name)

    _with_users(change)
    click.echo(f"Changed the password of {name}.")


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
    from mcp_server.oauth.login import totp as codes

    secret, recovery = codes.new_secret(), codes.new_recovery_codes()
    click.echo("Add this to an authenticator app, as it is or as a QR code:\n")
    click.echo(f"  {codes.uri(secret, name, _issuer())}\n")
    if not unconfirmed:
        _confirm(secret)
    _with_users(lambda users, store: _set_codes(users, store, name, secret, recovery))
    click.echo(f"{name} signs in with a code from now on. Without the app, each of these is good once:\n")
    click.echo("\n".join(f"  {code}" for code in recovery))


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
    await _end_sessions(store, name)


async def _end_sessions(store: Store, name: str) -> None:
    from mcp_server.oauth.login.sessions import SESSION, forget
    from mcp_server.oauth.login.users import subject_of

    await forget(store, subject_of(name), [SESSION])


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
    from mcp_server.settings import load_settings

    settings = load_settings(Path(".env"), listening=False)
    return settings.app_name or settings.domain or "mcp-server"


def _with_users(work: Callable[[Users, Store], Awaitable[T]]) -> T:
    """Do something with the accounts in the store that is configured."""
    from mcp_server.oauth.login.passwords import Passwords
    from mcp_server.oauth.login.users import Users
    from mcp_server.settings import SettingsError, load_settings
    from mcp_server.stores import StoreUnavailable, open_store

    try:
        url = load_settings(Path(".env"), listening=False).store
    except SettingsError as error:
        raise Problem("The settings cannot be used", str(error)) from None
    if url == "memory://":
        raise Problem("STORE_URL is memory://, which no other process sees", "Set it to a file or a database.")

    async def main() -> T:
        store = open_store(url)
        await store.open()
        try:
            return await work(Users(store, Passwords()), store)
        finally:
            await store.close()

    try:
        return asyncio.run(main())
    except (ValueError, StoreUnavailable) as error:
        raise Problem("The store cannot be used", str(error)) from None
