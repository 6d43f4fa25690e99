"""The authorization server and its pages, put together from the settings: what `OAUTH_ENABLED=true` adds.

Here the rooms `server` and `login` meet: the one needs the address of the page on which a person decides, the other
what may be done with the decision. Both keep what they know in one store, which is opened when the first request needs
it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.routing import BaseRoute

from mcp_server.oauth.access import TokenVerifier
from mcp_server.oauth.login.app import PATHS, Login
from mcp_server.oauth.login.opening import options_of, way_of
from mcp_server.oauth.server import AuthorizationServer
from mcp_server.oauth.server.configured import clients_from, options_from
from mcp_server.oauth.server.metadata import AUTHORIZE
from mcp_server.settings import Problem, SettingsError
from mcp_server.stores import open_store
from mcp_server.stores.on_demand import StoreOnDemand

if TYPE_CHECKING:
    from mcp_server.guards.windows import Windows
    from mcp_server.oauth.login.ambient import Hook
    from mcp_server.settings import Settings


@dataclass(frozen=True, slots=True)
class Issuing:
    """What an authorization server of our own adds."""

    issuer: str
    verifier: TokenVerifier
    routes: Sequence[BaseRoute] = ()
    open_paths: Sequence[str] = ()
    """Paths for which nobody needs a token, as the guards write them."""
    shared_paths: Sequence[str] = ()
    """Those of them that pages of every origin may read; they grant that themselves."""
    entered_paths: Sequence[str] = ()
    """Those of them to which a page of any origin may send a browser, with a form as well."""
    checks: Sequence[Callable[[], Awaitable[None]]] = ()
    """What raises while tokens can be neither issued nor checked."""
    closes: Sequence[Callable[[], Awaitable[None]]] = ()


def issuing_from(
    settings: Settings, *, name: str, further_urls: Sequence[str], windows: Windows, hook: Hook | None
) -> Issuing:
    """Put together what the settings ask for.

    Args:
        settings: What the operator has decided.
        name: What the server is called on its pages.
        further_urls: Other addresses than the public one under which clients reach it.
        windows: Where requests are counted.
        hook: The developer's own way of knowing who somebody is, if there is one.

    Raises:
        SettingsError: It would not be safe, or not possible.
    """
    store = StoreOnDemand(lambda: open_store(settings.store))
    try:
        options = options_from(settings, further_urls=further_urls)
        pages = options_of(settings, options.public_url, name)
        way = way_of(settings, store, pages, hook)
    except ValueError as error:
        raise SettingsError([Problem("OAUTH_ENABLED", f"cannot be true: {error}")]) from None
    try:
        known = clients_from(settings)
    except ValueError as error:
        raise SettingsError([Problem("OAUTH_CLIENTS", str(error).removeprefix("OAUTH_CLIENTS "))]) from None

    def page(pending: str) -> str:
        return login.page(pending)

    server = AuthorizationServer(options, store, page=page, known=known, windows=windows)
    login = Login(server.approvals, store, way, pages, windows=windows)

    async def store_of_tokens() -> None:
        await store.get("ready", "never")

    return Issuing(
        issuer=options.issuer,
        verifier=server.verifier,
        routes=(*server.routes, *login.routes),
        open_paths=(*server.paths, *PATHS),
        shared_paths=tuple(path for path in server.paths if path != AUTHORIZE),
        entered_paths=(AUTHORIZE,),
        checks=(store_of_tokens,),
        closes=(store.close,),
    )
