from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from mcp_server import File, Image, Server, ToolError, ToolResult

server = Server("shapes")
MOST_FOLDS = 7

Side = Annotated[float, Field(gt=0, le=1000, description="In centimetres")]


class Area(BaseModel):
    """A model, a dataclass, a TypedDict or a dict: one structured value, with a schema that clients see."""

    square_centimetres: float


@server.tool(read_only=True)
def area(width: Side, height: Side) -> Area:
    """Compute the area of a rectangle."""
    return Area(square_centimetres=width * height)


@dataclass
class Size:
    name: str
    width: float


@server.tool(read_only=True)
def sizes() -> list[Size]:
    """List the sizes of paper: a list is one structured value as well."""
    return [Size("A4", 21.0), Size("A5", 14.8)]


@server.tool(read_only=True)
def picture(colour: Literal["red", "blue"]) -> Image:
    """Draw a square."""
    svg = f'<svg xmlns="http://www.w3.org/2000/svg"><rect width="9" height="9" fill="{colour}"/></svg>'
    return Image(data=svg.encode(), mime_type="image/svg+xml")


@server.tool(read_only=True)
def table() -> list[str | File]:
    """Export the sizes: text and a file, side by side."""
    return ["The sizes, as a table:", File(data=b"name,width\nA4,21.0\n", name="sizes.csv")]


@server.tool(read_only=True)
def fold(times: Annotated[int, Field(ge=1, le=100, description="How often")]) -> ToolResult:
    """Fold a sheet: the result under full control."""
    if times > MOST_FOLDS:
        raise ToolError("Nobody folds a sheet more than seven times.")
    return ToolResult(content=f"{2**times} layers", structured={"layers": 2**times})
