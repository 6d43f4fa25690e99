"""`mcp-server tokens`: what people have allowed, and how to end it.

A line is a grant: all tokens that one client has for one person. Its id is a digest; nothing shown here is any part of
a token.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

import click

from mcp_server.cli.kept import with_store
from mcp_server.cli.problem import Misuse, Problem

if TYPE_CHECKING:
    from mcp_server.oauth.server.grant import Grant
    from mcp_server.settings import Settings
    from mcp_server.stores import Record, Store

_SUBJECT: Final = click.option("--subject", metavar="SUBJECT", help="Only of this person, such as local:anna.")
_CLIENT: Final = click.option("--client", metavar="CLIENT_ID", help="Only of this client.")


@click.group("tokens")
def command() -> None:
    """What people have allowed clients to do, if OAUTH_ENABLED=true.

    It is kept where STORE_URL says, in the environment or in a .env file here.
    """


@command.command("list")
@_SUBJECT
@_CLIENT
def listed(subject: str | None, client: str | None) -> None:
    """List who has allowed what to whom, and how long that lasts."""
    from mcp_server.cli.printing import table, terminal_width

    async def collect(store: Store, _settings: Settings) -> list[tuple[Record, Grant]]:
        from mcp_server.oauth.server.grants import listed as grants

        return [each async for each in grants(store, subject=subject) if client in {None, each[1].client}]

    found = with_store(collect)
    if not found:
        click.echo("There are none.")
        return
    rows = [_row(record, grant) for record, grant in found]
    click.echo(table(("ID", "PERSON", "CLIENT", "SINCE", "UNTIL", "MAY"), rows, terminal_width()))


@command.command("revoke")
@click.argument("identity", metavar="[ID]", required=False)
@_SUBJECT
@_CLIENT
@click.option("--sign-out", is_flag=True, help="End the person's sessions and forget their consents, too.")
def revoke(identity: str | None, subject: str | None, client: str | None, *, sign_out: bool) -> None:
    """End a grant by its ID, or all of a person, of a client, or of both together.

    Other processes notice within OAUTH_REVOCATION_DELAY seconds. Whoever is still signed in can allow everything again;
    see --sign-out.
    """
    if (identity is None) == (subject is None and client is None):
        raise Misuse("It is not clear what is to end", "Give an ID, or --subject, or --client.")
    if sign_out and (subject is None or client is not None):
        raise Misuse("It is not clear who is to be signed out", "Give --subject, and no --client.")

    async def end(store: Store, _settings: Settings) -> tuple[int, int]:
        from mcp_server.oauth.login.sessions import forget
        from mcp_server.oauth.server.grants import KIND, end_grants

        if identity is not None:
            return int(await store.delete(KIND, identity)), 0
        # The sessions first, so that there is nothing new while the rest is ended.
        forgotten = await forget(store, subject) if sign_out and subject is not None else 0
        return await end_grants(store, subject=subject, client=client), forgotten

    ended, forgotten = with_store(end)
    if identity is not None and not ended:
        raise Problem("There is no such grant", "See them with: mcp-server tokens list")
    also = f" Of sessions and consents: {forgotten}." if sign_out else ""
    click.echo(f"Ended {ended} grant{'' if ended == 1 else 's'}.{also}")


def _row(record: Record, grant: Grant) -> tuple[str, ...]:
    from mcp_server.cli.printing import one_line

    client = f"{one_line(grant.client_name)} ({one_line(grant.client)})" if grant.client_name else grant.client
    until = "-" if record.expires is None else day(record.expires)
    return record.key, one_line(grant.subject), client, day(grant.made), until, " ".join(grant.scopes) or "-"


def day(seconds: float) -> str:
    """A time, in UTC and to the minute."""
    return dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%Y-%m-%d %H:%M")
