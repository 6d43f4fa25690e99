from mcp_server import Server, UserMessage

server = Server("library")

BOOKS = {"moby-dick": "Call me Ishmael.", "emma": "Emma Woodhouse, handsome, clever, and rich"}


@server.resource("library://books", mime_type="application/json")
def books() -> list[str]:
    """The books, by name."""
    return sorted(BOOKS)


@server.resource("library://books/{name}")
def book(name: str) -> str:
    """How a book begins."""
    return BOOKS[name]


@server.prompt(title="Compare two books")
def compare(first: str, second: str) -> list[UserMessage]:
    """Ask for a comparison.

    Args:
        first: The name of a book.
        second: The name of another.
    """
    return [UserMessage(f"Read library://books/{first} and library://books/{second}. Which begins better?")]


@server.completion("compare", "first")
@server.completion("compare", "second")
@server.completion("library://books/{name}", "name")
def names(begun: str) -> list[str]:
    return [name for name in sorted(BOOKS) if name.startswith(begun)]


def add_book(name: str, beginning: str) -> None:
    """Whoever watches is told: of the resource that has changed, and of the list."""
    BOOKS[name] = beginning
    server.resource_updated("library://books")
