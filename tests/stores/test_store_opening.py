"""Which store a URL means, and what is said of one that means none."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from mcp_server.stores import open_store
from mcp_server.stores.memory import MemoryStore
from mcp_server.stores.postgres import PostgresStore
from mcp_server.stores.redis import RedisStore
from mcp_server.stores.sqlite import SqliteStore


@pytest.mark.parametrize(
    ("url", "store"),
    [
        ("memory://", MemoryStore),
        ("sqlite:///store.db", SqliteStore),
        ("sqlite:////var/lib/store.db", SqliteStore),
        ("SQLITE:///store.db", SqliteStore),
        ("redis://:p%40ss@127.0.0.1:6379/0", RedisStore),
        ("rediss://127.0.0.1", RedisStore),
        ("postgres://ann:p%40ss@127.0.0.1/test", PostgresStore),
        ("postgresql://127.0.0.1", PostgresStore),
    ],
)
def test_a_url_means_a_store(url: str, store: type) -> None:
    assert type(open_store(url)) is store


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hunter2",
        "mysql://ann:hunter2@host/db",
        "memory://hunter2",
        "sqlite://hunter2.db",
        "sqlite:///",
        "sqlite:////",
        "sqlite:///hunter2/",
        "sqlite:///:memory:",
        "sqlite:///hunter2.db?mode=ro",
        "redis://:hunter2@host:port/0",
        "postgresql://ann:hunter2@host:port:port/db?x",
        "postgresql://ann:hunter2@host/db?no_such_option=hunter2",
    ],
)
def test_a_url_that_means_none_is_refused_without_being_quoted(url: str) -> None:
    with pytest.raises(ValueError, match=r"URL") as caught:
        open_store(url)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_three_slashes_are_relative_and_four_absolute(tmp_path: Path) -> None:
    code = (
        "import asyncio, sys\nfrom mcp_server.stores import open_store\n"
        "async def main():\n for url in sys.argv[1:]:\n"
        "  store = open_store(url)\n  await store.open()\n  await store.close()\n"
        "asyncio.run(main())\n"
    )
    absolute = tmp_path / "else where" / "b.db"
    urls = ["sqlite:///here/a.db", f"sqlite:///{absolute}"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    subprocess.run([sys.executable, "-c", code, *urls], cwd=tmp_path, env=environment, check=True)
    assert (tmp_path / "here" / "a.db").is_file()
    assert absolute.is_file()


@pytest.mark.parametrize(
    ("url", "module", "extra"), [("redis://host", "redis", "redis"), ("postgresql://host/db", "psycopg", "postgres")]
)
def test_a_missing_library_is_named_with_what_to_install(url: str, module: str, extra: str) -> None:
    """The library itself: who runs from a checkout has no `mcp-server` installed, and would get somebody else's."""
    code = (
        f"import sys\nsys.modules[{module!r}] = None\nfrom mcp_server.stores import open_store\n"
        f"try:\n open_store({url!r})\nexcept ValueError as error:\n print(error)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert f"pip install '{project['optional-dependencies'][extra][0]}'" in done.stdout


def test_a_store_imports_no_library_but_its_own() -> None:
    code = (
        "import sys\nbefore = set(sys.modules)\n"  # what measures coverage has some of them
        "from mcp_server.stores import open_store\nopen_store('memory://')\n"
        "print(*{'sqlite3', 'redis', 'psycopg'} & (set(sys.modules) - before))"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
