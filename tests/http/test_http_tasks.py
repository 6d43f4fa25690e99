"""Tasks over HTTP: headers, keys, hosts that are frozen, what is logged and counted; then processes that are killed."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from fakes import meta
from http_children import PATIENCE, Child, environment, started
from http_driver import BOTH, Visit, Web, rpc, serving
from redis_servers import RUNNING, require_running_redis

from mcp_server.observe.records import CallRecord
from tests.tasks.task_shop import TASKS, Shop, happens

TAKES: dict[str, Any] = {"capabilities": {"extensions": {TASKS: {}}, "elicitation": {"form": {}}}}
PROCESS = Path(__file__).with_name("http_task_process.py")
KEYS = ("a-key-that-is-long-enough-for-ada-0001", "a-key-that-is-long-enough-for-bob-0002")


def run(story: Any) -> None:
    """Run a test in an event loop of its own."""

    async def told() -> None:
        async with asyncio.timeout(PATIENCE):
            await story()

    asyncio.run(told())


async def about(web: Web, method: str, task_id: str, more: Mapping[str, Any] | None = None, **how: Any) -> Visit:
    """A request about a task."""
    headers = {"mcp-name": task_id, **how.pop("headers", {})}
    return await web.modern(method, {"taskId": task_id, **(more or {})}, meta=TAKES, headers=headers, **how)


async def ended(web: Web, task_id: str, **how: Any) -> dict[str, Any]:
    """A task once it has ended."""
    while True:
        task = (await about(web, "tasks/get", task_id, **how)).result
        if task["status"] in {"completed", "failed", "cancelled"}:
            return task
        await asyncio.sleep(0.01)


def test_the_header_names_the_task(tmp_path: Path) -> None:
    async def story() -> None:
        shop = Shop()
        async with serving(shop.server, store_url=f"sqlite:///{tmp_path}/t.db") as web:
            task_id = (await web.call("wait", meta=TAKES)).result["taskId"]
            for method in ("tasks/get", "tasks/update", "tasks/cancel"):
                for headers in ({"mcp-name": "another"}, {"mcp-name": None}):
                    visit = await about(web, method, task_id, {"inputResponses": {}}, headers=headers)
                    assert (visit.status, visit.code) == (400, -32020)
            shop.open.set()
            assert (await ended(web, task_id))["status"] == "completed"

    run(story)


def test_errors_have_their_status(tmp_path: Path) -> None:
    async def story() -> None:
        async with serving(Shop().server, store_url=f"sqlite:///{tmp_path}/t.db") as web:
            refused = await web.call("must")
            assert (refused.status, refused.code) == (400, -32021)
            unknown = await about(web, "tasks/get", "x" * 32)
            assert (unknown.status, unknown.code) == (200, -32602)
            removed = await about(web, "tasks/result", "x" * 32)
            assert (removed.status, removed.code) == (404, -32601)

    run(story)


def test_a_task_belongs_to_the_key_that_began_it(tmp_path: Path) -> None:
    async def story() -> None:
        ada, bob = ({"authorization": f"Bearer {key}"} for key in KEYS)
        settings: dict[str, Any] = {"store_url": f"sqlite:///{tmp_path}/t.db", "mcp_api_key": ",".join(KEYS)}
        async with serving(Shop().server, **settings) as web:
            task_id = (await web.call("must", meta=TAKES, headers=ada)).result["taskId"]
            assert (await about(web, "tasks/get", task_id, headers=bob)).code == -32602
            assert (await ended(web, task_id, headers=ada))["status"] == "completed"
            client = await web.session(headers=bob)
            listed = await client.ask("tasks/list")
            assert listed.result == {"tasks": []}

    run(story)


def test_a_client_that_hangs_up_has_not_cancelled_its_task(tmp_path: Path) -> None:
    async def story() -> None:
        shop = Shop()
        async with serving(shop.server, store_url=f"sqlite:///{tmp_path}/t.db") as web:
            visit = await web.call("wait", meta=TAKES)
            visit.hang_up()
            shop.open.set()
            assert (await ended(web, visit.result["taskId"]))["status"] == "completed"

    run(story)


def test_a_listener_is_told_over_http(tmp_path: Path) -> None:
    async def story() -> None:
        shop = Shop()
        async with serving(shop.server, store_url=f"sqlite:///{tmp_path}/t.db") as web:
            task_id = (await web.call("wait", meta=TAKES)).result["taskId"]
            listening = web.open_modern("subscriptions/listen", {"notifications": {"taskIds": [task_id]}}, meta=TAKES)
            acknowledged, state = await listening.hears(2)
            assert acknowledged["params"]["notifications"] == {"taskIds": [task_id]}
            assert state["params"]["status"] == "working"
            shop.open.set()
            assert (await listening.hears(3))[2]["params"]["status"] == "completed"
            listening.hang_up()
            await listening.done()

    run(story)


def test_a_host_that_is_frozen_between_requests_keeps_no_tasks(tmp_path: Path) -> None:
    async def story() -> None:
        shop = Shop()
        shop.open.set()
        async with serving(shop.server, streaming=False, store_url=f"sqlite:///{tmp_path}/t.db") as web:
            discovered = (await web.modern("server/discover", meta=TAKES)).result
            assert "extensions" not in discovered["capabilities"]
            assert (await web.call("wait", meta=TAKES)).result["content"][0]["text"] == "done "
            refused = (await web.call("must", meta=TAKES)).result
            assert refused["isError"]
            assert "does not keep tasks" in refused["content"][0]["text"]
            assert (await about(web, "tasks/get", "x" * 32)).code == -32601
        assert not (tmp_path / "t.db").exists()

    run(story)


class Records:
    """Keeps the lines of calls."""

    def __init__(self) -> None:
        self.all: list[CallRecord] = []

    def record(self, call: CallRecord) -> None:
        self.all.append(call)

    def close(self) -> None: ...


def test_the_end_of_a_task_is_logged_and_counted_like_a_call(tmp_path: Path) -> None:
    async def story() -> None:
        shop, records = Shop(), Records()
        calls: Any = records
        settings: dict[str, Any] = {"store_url": f"sqlite:///{tmp_path}/t.db", "metrics_enabled": True}
        async with serving(shop.server, calls=calls, **settings) as web:
            task_id = (await web.call("wait", meta=TAKES)).result["taskId"]
            await happens(lambda: shop.begun)
            assert b"mcp_tasks_running 1.0" in (await web.get("/metrics")).body
            shop.open.set()
            await ended(web, task_id)
            failing = (await web.call("fail", meta=TAKES)).result["taskId"]
            await ended(web, failing)
            cancelled = (await web.call("ask", meta=TAKES)).result["taskId"]
            await about(web, "tasks/cancel", cancelled)
            await happens(lambda: len([each for each in records.all if each.method == "tasks/run"]) == 3)
            text = (await web.get("/metrics")).body.decode()
        runs = [(each.target, each.outcome, each.transport) for each in records.all if each.method == "tasks/run"]
        assert runs == [("wait", "ok", "task"), ("fail", "tool_error", "task"), ("ask", "cancelled", "task")]
        assert "mcp_tasks_running 0.0" in text
        assert 'mcp_calls_total{method="tasks/run",outcome="ok",target="wait"} 1.0' in text

    run(story)


def test_a_server_without_tasks_opens_no_store(tmp_path: Path) -> None:
    async def story() -> None:
        shop = Shop()
        for tool in [name for name in shop.server.registry.tools if name != "plain"]:
            shop.server.remove_tool(tool)
        async with serving(shop.server, store_url=f"sqlite:///{tmp_path}/t.db") as web:
            assert (await web.call("plain", meta=TAKES)).result["content"][0]["text"] == "plain"

    run(story)
    assert list(tmp_path.iterdir()) == []


# -- processes ---------------------------------------------------------------------------------------------------------


class Caller:
    """A client that takes tasks, of a server in a process of its own."""

    def __init__(self, child: Child) -> None:
        self._child = child

    def ask(self, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
        body = rpc(method, {**params, "_meta": meta(**TAKES)}, 1)
        headers = {"mcp-protocol-version": "2026-07-28", "mcp-method": method, "accept": BOTH}
        headers |= {"content-type": "application/json", "mcp-name": params.get("taskId") or params.get("name", "")}
        answer = self._child.http.post("/mcp", content=json.dumps(body).encode(), headers=headers).json()
        assert "result" in answer, answer
        return answer["result"]

    def begin(self, tool: str, **arguments: Any) -> str:
        return self.ask("tools/call", {"name": tool, "arguments": arguments})["taskId"]

    def look(self, task_id: str) -> dict[str, Any]:
        return self.ask("tasks/get", {"taskId": task_id})

    def until(self, task_id: str, *states: str) -> dict[str, Any]:
        deadline = time.monotonic() + PATIENCE
        while (task := self.look(task_id))["status"] not in states:
            assert time.monotonic() < deadline, task
            time.sleep(0.02)
        return task


ENDED = ("completed", "failed", "cancelled")


def process(directory: Path, store: str, **settings: str) -> Any:
    """A server of tasks in this directory."""
    said: dict[str, Any] = {
        "MCP_APP": f"{PROCESS}:server",
        "STORE_URL": store,
        "TASK_TRACE": str(directory / "trace.txt"),
        "ENVIRONMENT": "development",
        **settings,
    }
    return started(directory, **said)


def traces(directory: Path) -> Counter[str]:
    """What the tasks have left in the trace."""
    return Counter((directory / "trace.txt").read_text(encoding="utf-8").splitlines())


def test_a_hundred_tasks_and_a_kill(tmp_path: Path) -> None:
    """Every task has finished, or has failed for a stated reason; none is lost, and none is run twice."""
    store = f"sqlite:///{tmp_path}/tasks.db"
    with process(tmp_path, store) as child:
        caller = Caller(child)
        ids = {number: caller.begin("work", number=number, seconds=(number % 5) * 0.3) for number in range(90)}
        ids |= {number: caller.begin("work", number=number, seconds=600) for number in range(90, 100)}
        caller.until(ids[0], "completed")
        child.tell(signal.SIGKILL)
        child.process.wait(PATIENCE)
    with process(tmp_path, store) as child:
        caller = Caller(child)
        tasks = {number: caller.until(task_id, *ENDED) for number, task_id in ids.items()}
        counts = Counter(task["status"] for task in tasks.values())
        assert counts["completed"] >= 1
        assert counts["failed"] >= 10
        assert counts["completed"] + counts["failed"] == 100
        seen = traces(tmp_path)
        for number, task in tasks.items():
            assert seen[f"begun {number}"] <= 1
            if task["status"] == "completed":
                assert seen[f"done {number}"] == 1
                assert task["result"]["content"][0]["text"] == f"worked {number}"
            else:
                assert task["error"]["data"] == {"reason": "task_lost"}
        before = seen.total()
        assert caller.until(caller.begin("work", number=100), *ENDED)["status"] == "completed"
        assert traces(tmp_path).total() == before + 2


def test_tasks_go_on_for_the_grace_and_the_rest_says_that_it_was_stopped(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path}/tasks.db"
    with process(tmp_path, store, GRACE_SECONDS="2") as child:
        caller = Caller(child)
        long, short = caller.begin("work", number=1, seconds=600), caller.begin("work", number=2, seconds=0.5)
        child.tell(signal.SIGTERM)
        assert child.leaves() == 0
    with process(tmp_path, store) as child:
        caller = Caller(child)
        assert caller.look(short)["status"] == "completed"
        task = caller.look(long)
        assert (task["status"], task["error"]["data"]) == ("failed", {"reason": "task_stopped"})


@pytest.fixture(params=["sqlite", "redis"])
def two(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Caller, Caller]]:
    """Two processes of one server: with one file, and nothing else that they share; or with Redis, which has a bus."""
    settings: dict[str, str] = {}
    if request.param == "redis":
        require_running_redis()
        settings["RUNNING_URL"] = RUNNING
        settings["APP_NAME"] = f"tasks-{uuid.uuid4().hex}"
    store = RUNNING if request.param == "redis" else f"sqlite:///{tmp_path}/tasks.db"
    with ExitStack() as stack:
        first, second = (stack.enter_context(process(tmp_path, store, **settings)) for _ in range(2))
        yield Caller(first), Caller(second)


def test_two_processes_serve_the_same_tasks(two: tuple[Caller, Caller], tmp_path: Path) -> None:
    here, there = two
    asking, working = here.begin("ask"), here.begin("work", number=7, seconds=600)
    task = there.until(asking, "input_required")
    answers = {key: {"action": "accept", "content": {"yes": True}} for key in task["inputRequests"]}
    there.ask("tasks/update", {"taskId": asking, "inputResponses": answers})
    assert there.until(asking, *ENDED)["result"]["content"][0]["text"] == "accept"
    there.ask("tasks/cancel", {"taskId": working})
    assert here.look(working)["status"] == "cancelled"
    assert traces(tmp_path)["begun 7"] == 1


def talk(env: Mapping[str, str], *requests: tuple[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The answers of a server over stdio, which then ends with its input."""
    child = subprocess.Popen(
        [sys.executable, str(PROCESS)],
        env=env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert child.stdin is not None
    assert child.stdout is not None
    answers: list[dict[str, Any]] = []
    try:
        for method, params in requests:
            child.stdin.write(json.dumps(rpc(method, {**params, "_meta": meta(**TAKES)}, 1)).encode() + b"\n")
            child.stdin.flush()
            answers.append(json.loads(child.stdout.readline()))
        child.stdin.close()
        assert child.wait(PATIENCE) == 0
    finally:
        child.kill()
        child.wait()
        child.stdout.close()
    return answers


def test_a_client_over_stdio_finds_its_task_after_a_restart(tmp_path: Path) -> None:
    env = environment(STORE_URL=f"sqlite:///{tmp_path}/tasks.db", TASK_TRACE=str(tmp_path / "trace.txt"))
    (begun,) = talk(env, ("tools/call", {"name": "work", "arguments": {"number": 1, "seconds": 600}}))
    (found,) = talk(env, ("tasks/get", {"taskId": begun["result"]["taskId"]}))
    task = found["result"]
    assert (task["status"], task["error"]["data"]) == ("failed", {"reason": "task_stopped"})


def test_without_a_setting_stdio_keeps_its_tasks_in_the_folder_for_such_files(tmp_path: Path) -> None:
    env = environment(XDG_STATE_HOME=str(tmp_path), TASK_TRACE=str(tmp_path / "trace.txt"))
    talk(env, ("tools/call", {"name": "work", "arguments": {"number": 1}}))
    assert (tmp_path / "mcp-server" / "mcp-server.db").exists()


def test_a_store_that_cannot_be_leaves_everything_else_over_stdio(tmp_path: Path) -> None:
    env = environment(STORE_URL="nonsense", TASK_TRACE=str(tmp_path / "trace.txt"))
    call = {"name": "work", "arguments": {"number": 1}}
    other, task = talk(env, ("tools/call", {"name": "who", "arguments": {}}), ("tools/call", call))
    assert other["result"]["structuredContent"] > 0
    assert task["error"]["data"] == {"reason": "no_store"}
