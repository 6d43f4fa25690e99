"""Pages for those who watch a server: whether it is alive, whether it wants requests, and its numbers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from mcp_server.guards.keyring import Keyring

if TYPE_CHECKING:
    from pydantic import SecretStr

    from mcp_server.lifecycle import Lifecycle
    from mcp_server.observe.metrics import Metrics
    from mcp_server.server import Server

_HEALTHY: Final = b'{"status": "healthy", "transport": "http"}'
_NO_STORE: Final = {"cache-control": "no-store"}


def health(_: Request) -> Response:
    """The process is alive, and says so in these bytes; that is all that a stranger learns."""
    return Response(_HEALTHY, headers=_NO_STORE, media_type="application/json")


def ready(
    lifecycle: Lifecycle, server: Server, checks: Sequence[Callable[[], Awaitable[None]]]
) -> Callable[[Request], Awaitable[Response]]:
    """The page that says whether the server wants requests, and what it waits for."""

    async def page(_: Request) -> Response:
        if lifecycle.draining:
            return _state("draining", 503)
        failed = await server.failed_checks(*checks)
        if failed:
            return _state("waiting", 503, failed)
        return _state("ready", 200)

    return page


def _state(status: str, code: int, failed: Sequence[str] = ()) -> Response:
    body: dict[str, Any] = {"status": status}
    if failed:
        body["waiting_for"] = list(failed)
    return JSONResponse(body, code, headers=_NO_STORE)


def numbers(metrics: Metrics, key: SecretStr | None) -> Callable[[Request], Response]:
    """The page for Prometheus, which may have a key of its own."""
    keyring = Keyring([] if key is None else [key.get_secret_value()])

    def page(request: Request) -> Response:
        if keyring and keyring.holder(request.headers.get("authorization", "").encode("latin-1")) is None:
            return JSONResponse({"error": "unauthorized"}, 401, headers={"www-authenticate": 'Bearer realm="metrics"'})
        body, content_type = metrics.render()
        return Response(body, headers={**_NO_STORE, "content-type": content_type})

    return page
