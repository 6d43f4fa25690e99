import asyncio
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from mcp_server import Context, Server

server = Server("archive")


class Label(BaseModel):
    label: str


class Answer(BaseModel):
    yes: bool


@server.tool(task="optional")
async def scan(pages: int, ctx: Context) -> str:
    """Scan pages, which takes a while."""
    for page in range(pages):
        await asyncio.sleep(0.01)  # the real work
        await ctx.progress(page + 1, pages, f"page {page + 1} of {pages}")
    answer = await ctx.elicit("Keep the scan?", Answer)  # in the middle of the task
    return "kept" if answer.data and answer.data.yes else "thrown away"


@server.tool(task="required", task_begins="when_told")
async def shelve(box: int, ctx: Context) -> str:
    """Shelve a box under a label that the user gives."""
    answer = await ctx.elicit("Under which label?", Label)  # before there is a task
    await ctx.begin_task()
    await asyncio.sleep(0.01)
    return f"box {box} is under {answer.data.label if answer.data else 'nothing'}"


def test_tasks_are_waited_for() -> None:
    def answers(_method: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        content = {"label": "maps"} if "label" in params["message"] else {"yes": True}
        return {"action": "accept", "content": content}

    async def main() -> tuple[str, str]:
        async with server.test_client(answers=answers, tasks=True) as client:
            scanned = await client.call_tool("scan", pages=3)
            shelved = await client.call_tool("shelve", box=7)
            return scanned.text, shelved.text

    assert asyncio.run(main()) == ("kept", "box 7 is under maps")
