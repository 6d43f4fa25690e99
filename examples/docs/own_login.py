"""Your own code says who a person is: here, an application whose cookie names its session."""

from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from mcp_server.oauth.approvals import Person

SESSIONS = {"a1b2c3": Person("shop:17", "Anna Example")}


async def who_is_it(request: Request) -> Person | Response | None:
    session = request.cookies.get("shop-session")
    if session is None:
        back = urlencode({"back": f"/auth/consent?{request.url.query}"})
        return RedirectResponse(f"https://shop.example.com/login?{back}", 303)
    return SESSIONS.get(session)
