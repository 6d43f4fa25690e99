from mcp_server import Server

server = Server("shop")
database = {"open": True}


@server.ready_check
async def database_answers() -> None:
    """Raises while requests should go elsewhere; `/ready` names the function then."""
    if not database["open"]:
        raise ConnectionError("the database is closed")
