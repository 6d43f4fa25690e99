"""`mcp-server install`: what it writes, what it shows, and what it leaves alone."""

from __future__ import annotations

import json
import os
import shlex
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cli_running import REPOSITORY, Run

from mcp_server.cli.hosts import HOSTS, Surroundings


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A home directory, and the current one."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def cursor(home: Path) -> Path:
    """The configuration of Cursor, which is not there yet."""
    path = home / ".cursor" / "mcp.json"
    path.parent.mkdir()
    return path


def servers(path: Path, key: str = "mcpServers") -> dict[str, Any]:
    return json.loads(path.read_text())[key]


@pytest.mark.parametrize(
    ("host", "platform", "environment", "path"),
    [
        ("claude-desktop", "darwin", {}, "/h/Library/Application Support/Claude/claude_desktop_config.json"),
        ("claude-desktop", "win32", {"APPDATA": "/r"}, "/r/Claude/claude_desktop_config.json"),
        ("claude-desktop", "win32", {}, "/h/AppData/Roaming/Claude/claude_desktop_config.json"),
        ("claude-desktop", "linux", {}, "/h/.config/Claude/claude_desktop_config.json"),
        ("claude-desktop", "linux", {"XDG_CONFIG_HOME": "/x"}, "/x/Claude/claude_desktop_config.json"),
        ("cursor", "linux", {}, "/h/.cursor/mcp.json"),
        ("vscode", "linux", {}, "/d/.vscode/mcp.json"),
    ],
)
def test_every_host_has_its_place(host: str, platform: str, environment: dict[str, str], path: str) -> None:
    assert HOSTS[host].path(Surroundings(platform, Path("/h"), Path("/d"), environment)) == Path(path)


def test_a_server_is_written_with_absolute_paths(run: Run, home: Path, fixture: str) -> None:
    relative = os.path.relpath(fixture, home)
    assert run("install", "claude-desktop", f"{relative}:other", "--yes").exit_code == 0
    entry = servers(home / ".config" / "Claude" / "claude_desktop_config.json")["other"]
    assert entry["command"] == sys.executable
    assert entry["args"] == ["-m", "mcp_server", "run", f"{fixture}:other"]


def test_what_is_written_starts_from_anywhere(run: Run, cursor: Path, fixture: str) -> None:
    run("install", "cursor", fixture, "--yes")
    entry = servers(cursor)["fixture"]
    request = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocolVersion": "2025-06-18"}}
    started = subprocess.run(
        [entry["command"], *entry["args"]],
        input=json.dumps(request).encode(),
        env=entry.get("env", {}),
        cwd="/",
        capture_output=True,
        timeout=60,
        check=True,
    )
    assert json.loads(started.stdout)["result"]["serverInfo"]["name"] == "fixture"


def test_a_module_that_is_only_found_from_here_is_given_its_path(run: Run, cursor: Path, home: Path) -> None:
    (home / "my_package_of_tools").mkdir()
    (home / "my_package_of_tools" / "__init__.py").write_text(
        "from mcp_server import Server\nfirst = Server('first')\n"
    )
    (home / "my_package_of_tools" / "inner.py").write_text("from . import first as server\n")
    for app in ("my_package_of_tools:first", "my_package_of_tools.inner"):
        run("install", "cursor", app, "--yes")
        entry = servers(cursor)["first"]
        assert entry["args"][-1] == app
        assert entry["env"]["PYTHONPATH"].split(os.pathsep) == [str(home), str(REPOSITORY)]


def test_a_path_of_the_user_s_own_is_kept(run: Run, cursor: Path, fixture: str) -> None:
    run("install", "cursor", fixture, "--yes", "--env", "PYTHONPATH=/mine")
    assert servers(cursor)["fixture"]["env"] == {"PYTHONPATH": "/mine"}


def test_an_installed_package_needs_no_path(
    run: Run, cursor: Path, fixture: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("site.getsitepackages", lambda: [str(REPOSITORY)])
    run("install", "cursor", fixture, "--yes")
    assert "env" not in servers(cursor)["fixture"]


def test_without_a_target_the_sample_is_installed(run: Run, cursor: Path) -> None:
    run("install", "cursor", "--yes")
    assert servers(cursor)["catalog"]["args"][-1] == "mcp_server.sample.server:server"


def test_vs_code_wants_a_type(run: Run, home: Path, fixture: str) -> None:
    run("install", "vscode", fixture, "--yes", "--name", "mine")
    assert servers(home / ".vscode" / "mcp.json", "servers")["mine"]["type"] == "stdio"


@pytest.mark.parametrize(
    ("host", "entry"),
    [
        ("cursor", {"url": "https://mcp.example.com/mcp", "headers": {"Authorization": "Bearer k3y"}}),
        ("vscode", {"type": "http", "url": "https://mcp.example.com/mcp", "headers": {"Authorization": "Bearer k3y"}}),
    ],
)
def test_a_url_is_written_with_its_headers_and_shown_without(
    run: Run, home: Path, host: str, entry: dict[str, Any]
) -> None:
    shown = run("install", host, "https://mcp.example.com/mcp", "--key", "k3y", "--yes").output
    path = HOSTS[host].path(Surroundings.here())
    assert servers(path, HOSTS[host].servers) == {"mcp.example.com": entry}
    assert "k3y" not in shown


def test_a_url_without_headers_has_none(run: Run, cursor: Path) -> None:
    run("install", "cursor", "https://mcp.example.com/mcp", "--yes")
    assert servers(cursor)["mcp.example.com"] == {"url": "https://mcp.example.com/mcp"}


def test_claude_desktop_takes_no_urls(run: Run, home: Path) -> None:
    refused = run("install", "claude-desktop", "https://mcp.example.com/mcp", "--yes")
    assert refused.exit_code == 1
    assert "Add it as a connector" in refused.stderr


def test_a_command_is_written_with_its_absolute_path(run: Run, cursor: Path) -> None:
    run("install", "cursor", "--yes", "--env", "A=b", "--", "sh", "-c", "true")
    entry = servers(cursor)["sh"]
    assert Path(entry["command"]).is_absolute()
    assert entry["args"] == ["-c", "true"]
    assert entry["env"] == {"A": "b"}


def test_a_command_that_does_not_exist_is_not_written(run: Run, cursor: Path) -> None:
    refused = run("install", "cursor", "--yes", "--", "no-such-program")
    assert refused.exit_code == 1
    assert not cursor.exists()


def test_a_server_that_does_not_load_is_not_written(run: Run, cursor: Path) -> None:
    assert run("install", "cursor", "nosuch.py", "--yes").exit_code == 1
    assert not cursor.exists()


def test_a_server_is_loaded_in_the_environment_that_it_will_have(run: Run, cursor: Path, home: Path) -> None:
    file = home / "needy_server.py"
    file.write_text("import os\nfrom mcp_server import Server\nserver = Server(os.environ['NEEDED_NAME'])\n")
    run("install", "cursor", str(file), "--env", "NEEDED_NAME=given", "--yes")
    assert servers(cursor)["given"]["env"]["NEEDED_NAME"] == "given"
    assert "NEEDED_NAME" not in os.environ


@pytest.mark.parametrize("pair", ["s3cret", "=s3cret", "a-b=s3cret"])
def test_a_variable_has_a_name_and_is_not_repeated_if_not(run: Run, home: Path, fixture: str, pair: str) -> None:
    refused = run("install", "cursor", fixture, "--env", pair)
    assert refused.exit_code == 2
    assert "s3cret" not in refused.output


def test_the_rest_of_the_file_is_kept_and_a_backup_made(run: Run, cursor: Path, fixture: str) -> None:
    before = '\ufeff{ "unknown" : [1,2],\r\n   "mcpServers":{ "other": {"command":"x"} } }'
    cursor.write_bytes(before.encode())
    cursor.chmod(0o640)
    run("install", "cursor", fixture, "--yes")
    after = cursor.read_bytes().decode()
    kept = before.removesuffix(" } }")
    assert after.startswith(kept + ', "fixture": {')
    assert after.endswith("} } }")
    assert cursor.with_name("mcp.json.backup").read_bytes() == before.encode()
    assert stat.S_IMODE(cursor.stat().st_mode) == 0o640
    assert len(list(cursor.parent.iterdir())) == 2


@pytest.mark.parametrize("before", [None, "", "  \n"])
def test_a_file_that_is_missing_or_empty_is_begun(run: Run, cursor: Path, fixture: str, before: str | None) -> None:
    if before is not None:
        cursor.write_text(before)
    assert run("install", "cursor", fixture, "--yes").exit_code == 0
    assert cursor.read_text().startswith('{\n  "mcpServers": {\n    "fixture": {')


def test_a_new_file_is_readable_by_its_owner_alone(run: Run, cursor: Path, fixture: str) -> None:
    run("install", "cursor", fixture, "--yes")
    assert stat.S_IMODE(cursor.stat().st_mode) == 0o600


def test_a_link_stays_a_link(run: Run, cursor: Path, home: Path, fixture: str) -> None:
    (home / "dotfiles.json").write_text("{}")
    cursor.symlink_to(home / "dotfiles.json")
    run("install", "cursor", fixture, "--yes")
    assert cursor.is_symlink()
    assert "fixture" in servers(home / "dotfiles.json")


def test_the_change_is_shown_without_any_secret(run: Run, cursor: Path, fixture: str) -> None:
    cursor.write_text('{\n  "mcpServers": {\n    "other": {"env": {"TOKEN": "th31rs"}}\n  }\n}\n')
    shown = run("install", "cursor", fixture, "--env", "KEY=m1ne", "--yes").output
    assert f"--- {cursor}\n+++ {cursor} (new)\n" in shown
    assert '+        "KEY": "***"' in shown
    assert "th31rs" not in shown
    assert "m1ne" not in shown
    assert servers(cursor)["fixture"]["env"]["KEY"] == "m1ne"


def test_a_change_of_secrets_alone_is_said_to_be_one(run: Run, cursor: Path, fixture: str) -> None:
    run("install", "cursor", fixture, "--env", "KEY=one", "--yes")
    shown = run("install", "cursor", fixture, "--env", "KEY=two", "--yes").output
    assert "only values change that are not shown" in shown
    assert servers(cursor)["fixture"]["env"]["KEY"] == "two"


def test_what_is_there_already_is_not_written_again(run: Run, cursor: Path, fixture: str) -> None:
    run("install", "cursor", fixture, "--yes")
    assert "has it already" in run("install", "cursor", fixture).output
    assert not cursor.with_name("mcp.json.backup").exists()


def test_nothing_is_written_on_a_dry_run(run: Run, cursor: Path, fixture: str) -> None:
    shown = run("install", "cursor", fixture, "--dry-run")
    assert shown.exit_code == 0
    assert '+    "fixture": {' in shown.output
    assert not cursor.exists()


@pytest.mark.parametrize(("answer", "written"), [("y\n", True), ("n\n", False), ("", False)])
def test_nothing_is_written_without_a_yes(run: Run, cursor: Path, fixture: str, answer: str, *, written: bool) -> None:
    asked = run("install", "cursor", fixture, stdin=answer)
    assert "Write this to" in asked.output
    assert cursor.exists() is written
    assert asked.exit_code == (0 if written else 1)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"mcpServers": {', "is not plain JSON: line 1, column 17"),
        ("[]", "is no configuration of Cursor"),
        ('{"mcpServers": []}', "is no configuration of Cursor"),
        ('{"mcpServers": null}', "is no configuration of Cursor"),
        (b"\xff\xfe", "cannot be read"),
    ],
)
def test_a_broken_file_is_left_as_it_is(run: Run, cursor: Path, fixture: str, text: str | bytes, said: str) -> None:
    before = text if isinstance(text, bytes) else text.encode()
    cursor.write_bytes(before)
    refused = run("install", "cursor", fixture, "--yes")
    assert refused.exit_code == 1
    assert said in refused.stderr
    assert "as it was" in refused.stderr
    assert cursor.read_bytes() == before


@pytest.mark.parametrize("comment", ["// mine", "/* mine */", '"a": [1,]'])
def test_a_file_with_comments_is_left_alone_and_the_snippet_shown(
    run: Run, home: Path, fixture: str, comment: str
) -> None:
    path = home / ".vscode" / "mcp.json"
    path.parent.mkdir()
    path.write_text(f'{{\n  {comment}\n  "url": "https://x"\n}}\n')
    before = path.read_bytes()
    refused = run("install", "vscode", fixture, "--env", "KEY=m1ne", "--yes")
    assert refused.exit_code == 1
    assert '"servers": {\n    "fixture": {\n      "type": "stdio"' in refused.stderr
    assert '"KEY": "***"' in refused.stderr
    assert "m1ne" not in refused.stderr
    assert path.read_bytes() == before


def test_a_file_that_cannot_be_replaced_stays_and_leaves_no_draft(
    run: Run, cursor: Path, fixture: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cursor.write_text("{}")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    refused = run("install", "cursor", fixture, "--yes")
    assert refused.exit_code == 1
    assert "cannot be written: No space left on device" in refused.stderr
    assert [path.name for path in cursor.parent.iterdir()] == ["mcp.json"]


def test_the_name_of_the_host_must_be_known(run: Run) -> None:
    refused = run("install", "notepad")
    assert refused.exit_code == 2
    assert "claude-desktop" in refused.stderr


def test_a_module_without_a_file_needs_no_path() -> None:
    from mcp_server.cli.entries import located

    assert located("sys:nothing") == ("sys:nothing", [])
    assert shlex.quote(located("server.py:x")[0]).endswith("server.py:x")
