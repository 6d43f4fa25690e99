"""`mcp-server clients`: the programs that may ask for tokens."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any, Final

import click

from mcp_server.cli.kept import with_store
from mcp_server.cli.problem import Misuse, Problem

if TYPE_CHECKING:
    from mcp_server.oauth.server.client import Client
    from mcp_server.settings import Settings
    from mcp_server.stores import Record, Store

_IN_SETTINGS: Final = "in settings"


@click.group("clients")
def command() -> None:
    """The programs that may ask for tokens, if OAUTH_ENABLED=true.

    They are kept where STORE_URL says, in the environment or in a .env file here; those of OAUTH_CLIENTS stay there.
    """


@command.command("list")
def listed() -> None:
    """List the clients: yours, and those that have registered themselves."""
    from mcp_server.cli.printing import table, terminal_width

    async def collect(store: Store, settings: Settings) -> list[tuple[str, ...]]:
        from mcp_server.oauth.server.configured import clients_from
        from mcp_server.oauth.server.registrations import listed as clients

        own = [_row(client, _IN_SETTINGS) for client in clients_from(settings)]
        return own + [_row(client, _until(record)) async for record, client in clients(store)]

    rows = with_store(collect)
    if not rows:
        click.echo("There are none. Clients register themselves, or you add them with: mcp-server clients add")
        return
    click.echo(table(("CLIENT_ID", "NAME", "PROVES ITSELF BY", "UNTIL", "IS SENT BACK TO"), rows, terminal_width()))


@command.command("add")
@click.option("--id", "identity", metavar="CLIENT_ID", help="What it calls itself; a random one if left out.")
@click.option("--name", default="", metavar="TEXT", help="What people see when they are asked.")
@click.option("--redirect-uri", "uris", multiple=True, metavar="URI", help="Where people are sent back to; repeatable.")
@click.option("--secret", "confidential", is_flag=True, help="Make a secret, and print it this once.")
@click.option("--machine", is_flag=True, help="It asks in its own name (client_credentials), nobody signs in.")
@click.option("--scope", metavar="SCOPES", help="What it may ask for at most, such as 'read write'.")
def add(
    identity: str | None, name: str, uris: tuple[str, ...], *, confidential: bool, machine: bool, scope: str | None
) -> None:
    """Add a client that need not register itself."""
    if machine == bool(uris):
        raise Misuse("A client is sent people, or asks in its own name", "Give --redirect-uri, or --machine.")
    secret = secrets.token_urlsafe(32) if confidential or machine else None
    identity = identity or secrets.token_hex(8)
    entry: dict[str, Any] = {"client_id": identity, "client_name": name or identity, "redirect_uris": list(uris)}
    if machine:
        entry["grant_types"] = ["client_credentials"]
    if scope is not None:
        entry["scope"] = scope
    client = _client(entry, secret)

    async def keep(store: Store, settings: Settings) -> None:
        from mcp_server.oauth.server.configured import clients_from
        from mcp_server.oauth.server.registrations import add_known

        taken = any(each.id == client.id for each in clients_from(settings))
        if taken or not await add_known(store, client):
            raise Problem(f"There is a client {client.id} already", "Give it another --id, or revoke that one first.")

    with_store(keep)
    click.echo(f"client_id:     {client.id}")
    if secret is not None:
        click.echo(f"client_secret: {secret}")
        click.echo("Only a digest of the secret is kept: write it down now.", err=True)


@command.command("revoke")
@click.argument("identity", metavar="CLIENT_ID")
def revoke(identity: str) -> None:
    """Forget a client, and end everything that people have allowed it.

    If it is interrupted, run it again: what a client that is gone has left is ended as well.
    """

    async def forget(store: Store, settings: Settings) -> tuple[bool, int]:
        from mcp_server.oauth.server.configured import clients_from
        from mcp_server.oauth.server.grants import end_grants
        from mcp_server.oauth.server.registrations import KIND

        if any(each.id == identity for each in clients_from(settings)):
            raise Problem(f"The client {identity} is named in OAUTH_CLIENTS", "Take it out of there.")
        # The client first, so that it gets nothing new while the rest is ended.
        known = not identity.startswith("https://") and await store.delete(KIND, identity)
        return known, await end_grants(store, client=identity)

    known, ended = with_store(forget)
    if not known and not ended:
        raise Problem("There is no such client, and no grant of it", "See them with: mcp-server clients list")
    click.echo(f"Forgot {identity}, and ended {ended} grant{'' if ended == 1 else 's'}.")


def _client(entry: dict[str, Any], secret: str | None) -> Client:
    from mcp_server.oauth.server.handles import digest
    from mcp_server.oauth.server.known import known_client

    if secret is not None:
        entry["client_secret_sha256"] = digest(secret)
    try:
        return known_client(entry)
    except ValueError as error:
        raise Misuse(f"This cannot be a client: {error}", "Write that instead.") from None


def _row(client: Client, until: str) -> tuple[str, ...]:
    from mcp_server.cli.printing import one_line

    proof = {"none": "nothing", "private_key_jwt": "key"}.get(client.method, "secret")
    return client.id, one_line(client.name) or "-", proof, until, " ".join(client.redirect_uris) or "-"


def _until(record: Record) -> str:
    from mcp_server.cli.tokens import day

    return "it is revoked" if record.expires is None else day(record.expires)
