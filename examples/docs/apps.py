from mcp_server import Csp, Server

server = Server("clock")


@server.tool(ui="ui://clock/face")
def time_in(city: str) -> str:
    """What time it is in a city."""
    return f"It is noon in {city}."


@server.app("ui://clock/face", csp=Csp(resource=["https://cdn.example.com"]), prefers_border=False)
def face() -> str:
    """A clock."""
    return "<!doctype html><title>Clock</title><script src='https://cdn.example.com/clock.js'></script>"
