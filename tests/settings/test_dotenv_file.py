"""One syntax for python-dotenv, systemd and docker."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from readers import by_docker, by_python_dotenv, by_systemd

from mcp_server.settings.dotenv import Dotenv, fault_in, read_dotenv

Write = Callable[..., Path]

KNOWN = {"PORT", "HOST", "MCP_API_KEY", "SSE_HEARTBEAT_INTERVAL"}

_ODD = st.sampled_from(
    [
        "",
        "",
        "",
        " ",
        "\t",
        "\r",
        "\\",
        "'",
        '"',
        "$",
        "${A}",
        "=",
        ";",
        "#",
        " #",
        "\u00a0",
        "\u2028",
        "\x0c",
        "\x1c",
        "é",
    ]
)
_LINES = st.tuples(
    _ODD, st.sampled_from(["A=", "B=", "# ", "export C=", ""]), _ODD, st.sampled_from(["", "x", "1/2"]), _ODD
)
_TEXTS = st.lists(_LINES.map("".join), max_size=3).map("\n".join)


def read(tmp_path: Path, text: str) -> Dotenv:
    path = tmp_path / ".env"
    path.write_bytes(text.encode())
    return read_dotenv(path, KNOWN)


@given(text=_TEXTS)
@example(text="# a\\\nA=1\n")
@example(text="# a\rA=1\n")
@example(text="A=1 # 1\nB=2")
@example(text="A=x\\\nB=2\n")
@example(text="A='x'\nB=${A}\n")
@example(text="A=1\r\n\r\nB=\r\n")
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_file_without_problems_means_the_same_to_every_reader(tmp_path: Path, text: str) -> None:
    found = read(tmp_path, text)
    if not found.problems:
        assert dict(found.values) == by_docker(text) == by_systemd(text) == by_python_dotenv(text)


@given(data=st.binary(max_size=60))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_file_is_too_broken_to_be_reported(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / ".env"
    path.write_bytes(data)
    assert isinstance(read_dotenv(path, KNOWN), Dotenv)


def test_a_file_that_does_not_exist_says_nothing(tmp_path: Path) -> None:
    assert read_dotenv(tmp_path / ".env", KNOWN) == Dotenv()


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("PORT=1048576  # 1MB", "put comments on their own line"),
        ("PORT=#1", "put comments on their own line"),
        ('PORT="1"', "without quotes"),
        ("PORT='1'", "without quotes"),
        ("PORT= 1", "no spaces around the value"),
        ("PORT=1 ", "no spaces around the value"),
        ("PORT=a\\b", "backslash"),
        ("PORT=$HOME", "dollar"),
        ("PORT=a\x00b", "control characters"),
        ("PORT=a\rb", "control characters"),
    ],
)
def test_a_value_that_readers_disagree_on_is_refused_by_name_and_line(tmp_path: Path, line: str, rule: str) -> None:
    found = read(tmp_path, f"\n{line}\n")
    [problem] = found.problems
    assert (problem.variable, problem.where) == ("PORT", ".env, line 2")
    assert rule in problem.rule
    assert found.values == {}


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("export PORT=1", "without export"),
        ("PORT =1", "no spaces around the name"),
        ("PORT", "an = after it"),
        ("; PORT=1", "NAME=value"),
        ("=1", "NAME=value"),
        ("# PORT=1\\", "backslash"),
        ("# a\rPORT=1", "control characters"),
    ],
)
def test_a_line_that_is_neither_a_variable_nor_a_comment_is_refused(tmp_path: Path, line: str, rule: str) -> None:
    [problem] = read(tmp_path, f"{line}\n").problems
    assert problem.variable == ".env, line 1,"
    assert rule in problem.rule


def test_the_rest_of_a_key_on_a_line_of_its_own_is_not_repeated(tmp_path: Path) -> None:
    found = read(tmp_path, "MCP_API_KEY=abc\nTm90IGEgc2VjcmV0=$\nVGhpcyBpcyBvbmU=\nVGhpcyBpcyBvbmU=\nc2VjcmV0\n")
    said = " ".join([*map(str, found.problems), *found.warnings])
    assert "Tm90" not in said
    assert "VGhp" not in said
    assert "c2Vj" not in said
    assert "line 3" in said


def test_of_a_repeated_variable_the_last_one_counts_with_a_warning(tmp_path: Path) -> None:
    found = read(tmp_path, "PORT=1\nHOST=a\nPORT=2\n")
    assert found.values == {"PORT": "2", "HOST": "a"}
    assert found.warnings == ("PORT is set more than once in .env (lines 1, 3); the last one counts",)


@pytest.mark.parametrize(
    ("name", "hint"),
    [("PROT", "PORT"), ("MCP_APIKEY", "MCP_API_KEY"), ("SSE_HEARTBEAT_INTERVALL", "SSE_HEARTBEAT_INTERVAL")],
)
def test_a_misspelt_name_is_a_warning_with_the_likely_one(tmp_path: Path, name: str, hint: str) -> None:
    found = read(tmp_path, f"{name}=1\n")
    assert found.problems == ()
    assert found.warnings == (f"{name} in .env is not a variable of this server; is {hint} meant?",)


def test_a_name_in_lower_case_is_a_warning_too(tmp_path: Path) -> None:
    [warning] = read(tmp_path, "port=1\n").warnings
    assert warning == "the name on line 1 in .env is not a variable of this server; is PORT meant?"


def test_names_that_resemble_nothing_share_one_warning(tmp_path: Path) -> None:
    found = read(tmp_path, "GRAFANA_USER=1\nTZ=UTC\n")
    assert found.warnings == (".env sets what this server does not read: GRAFANA_USER, TZ",)


@pytest.mark.parametrize(
    ("data", "rule"),
    [(b"PORT=\xff\n", "must be saved as UTF-8"), (b"\xef\xbb\xbfPORT=1\n", "without a byte order mark")],
)
def test_a_file_in_another_encoding_is_refused(tmp_path: Path, data: bytes, rule: str) -> None:
    path = tmp_path / ".env"
    path.write_bytes(data)
    [problem] = read_dotenv(path, KNOWN).problems
    assert str(problem).startswith(".env must be saved")
    assert rule in problem.rule


def test_a_file_that_cannot_be_read_is_a_problem(tmp_path: Path) -> None:
    [problem] = read_dotenv(tmp_path, KNOWN).problems
    assert problem.rule == "cannot be read: Is a directory"


def test_values_do_not_show_when_a_file_is_printed(tmp_path: Path) -> None:
    assert "hush" not in repr(read(tmp_path, "MCP_API_KEY=hush\n"))


@pytest.mark.parametrize("value", ["", "a#b", "it's", "a b", "a\tb", "é"])
def test_a_plain_value_has_no_fault(value: str) -> None:
    assert fault_in(value) is None
