"""`mcp-server call`: from words to arguments, from results to text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cli_running import Run

from mcp_server.cli import main
from mcp_server.cli.arguments import arguments_from, is_argument
from mcp_server.cli.call import said
from mcp_server.cli.problem import Misuse

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "text": {"type": "string"},
        "count": {"type": "integer"},
        "ratio": {"type": "number"},
        "flag": {"type": "boolean"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "either": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
        "loose": {"type": ["integer", "string"]},
        "free": {},
    },
}


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("text=5", "5"),
        ("text=", ""),
        ("text=a=b:=c", "a=b:=c"),
        ("count=5", 5),
        ("ratio=5", 5),
        ("ratio=0.5", 0.5),
        ("flag=true", True),
        ('tags=["a"]', ["a"]),
        ("either=5", 5),
        ("either=null", None),
        ("loose=5", "5"),
        ("free=5", "5"),
        ("unknown=5", "5"),
        ("text:=5", 5),
        ('text:={"a": null}', {"a": None}),
    ],
)
def test_a_value_is_what_the_schema_says(word: str, value: object) -> None:
    assert list(arguments_from([word], SCHEMA).values()) == [value]


@pytest.mark.parametrize(
    ("word", "what", "todo"),
    [
        ("count=ten", "count=ten: count is an integer", "'count=5'"),
        ("count=5.5", "count is an integer", "'count=5'"),
        ("count=true", "count is an integer", "'count=5'"),
        ("flag=yes", "flag is a boolean", "'flag=true'"),
        ("tags=a,b", "tags is an array", """'tags=["a","b"]'"""),
        ("ratio=NaN", "ratio is a number", "'ratio=0.5'"),
        ("either=x", "either is an integer or a null", "'either=5'"),
        ("text:=ten", "text:=ten is not JSON", """'text:="ten"' for a string"""),
        ("http://x", "'http://x' is no argument", "name=value"),
    ],
)
def test_a_value_of_another_kind_is_refused_with_how_to_write_it(word: str, what: str, todo: str) -> None:
    with pytest.raises(Misuse) as refused:
        arguments_from([word], SCHEMA)
    assert what in refused.value.message
    assert todo in refused.value.todo


def test_an_argument_is_given_once() -> None:
    with pytest.raises(Misuse, match="given twice"):
        arguments_from(["text=a", "text=b"], SCHEMA)


@pytest.mark.parametrize("word", ["http://host/mcp?key=1", "https://host/a=b", "server.py:server", "module"])
def test_a_target_is_not_taken_for_an_argument(word: str) -> None:
    assert not is_argument(word)


def test_a_text_is_printed_as_it_is(run: Run, fixture: str) -> None:
    result = run("call", "echo", "text=häuser", fixture)
    assert (result.exit_code, result.stdout) == (0, "häuser\n")


def test_every_kind_of_argument_arrives(run: Run, fixture: str) -> None:
    words = ["flag=true", "count=5", "ratio=0.5", 'tags=["a"]', 'options={"a":1}', "maybe=null"]
    assert run("call", "typed", fixture, *words).stdout == "(True, 5, 0.5, ['a'], {'a': 1}, None)\n"


def test_arguments_come_from_a_file_and_words_overrule_it(run: Run, fixture: str, tmp_path: Path) -> None:
    file = tmp_path / "arguments.json"
    file.write_text('{"text": "file"}')
    assert run("call", "echo", fixture, "--args-file", str(file)).stdout == "file\n"
    assert run("call", "echo", fixture, "--args-file", str(file), "text=word").stdout == "word\n"


def test_arguments_come_from_standard_input(run: Run, fixture: str) -> None:
    assert run("call", "echo", fixture, "--args-file", "-", stdin='{"text": "piped"}').stdout == "piped\n"


@pytest.mark.parametrize(("text", "said"), [("{", "is not JSON"), ("[]", "holds no JSON object")])
def test_a_file_of_arguments_is_a_json_object(run: Run, fixture: str, text: str, said: str) -> None:
    refused = run("call", "echo", fixture, "--args-file", "-", stdin=text)
    assert refused.exit_code == 2
    assert said in refused.stderr


def test_a_file_that_is_not_there_is_told(run: Run, fixture: str) -> None:
    refused = run("call", "echo", fixture, "--args-file", "nowhere.json")
    assert refused.exit_code == 2
    assert "nowhere.json cannot be read" in refused.stderr


def test_an_error_of_the_tool_goes_to_standard_error_and_exits_with_1(run: Run, fixture: str) -> None:
    result = run("call", "fail", fixture)
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", "the cupboard is bare\n")


def test_an_error_of_the_protocol_is_told(run: Run, fixture: str) -> None:
    refused = run("call", "vanish", fixture)
    assert refused.exit_code == 1
    assert "The server refused the call: gone (-32603)" in refused.stderr


def test_arguments_that_the_tool_refuses_are_its_error(run: Run, fixture: str) -> None:
    result = run("call", "echo", fixture, "other=1")
    assert result.exit_code == 1
    assert "text" in result.stderr


def test_json_is_the_result_as_it_was_sent(run: Run, fixture: str) -> None:
    result = run("call", "fail", fixture, "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["isError"] is True


def test_progress_and_logs_are_shown_on_standard_error(run: Run, fixture: str) -> None:
    result = run("call", "work", fixture)
    assert result.stdout == "done\n"
    assert result.stderr.splitlines() == ["info: begun", 'info: {"step": 1}', "1/2 half", "2"]


def test_what_is_no_text_is_named(run: Run, fixture: str) -> None:
    assert run("call", "show", fixture).stdout == "[image, image/png, 8 bytes]\n[fixture://note]\n"


@pytest.mark.parametrize(
    ("result", "text"),
    [
        ({"content": [{"type": "resource", "resource": {"uri": "a:b", "text": "inside"}}]}, "inside"),
        ({"content": [{"type": "resource", "resource": {"uri": "a:b", "blob": "AA=="}}]}, "[a:b, binary]"),
        ({"content": [{"type": "hologram"}]}, "[hologram, , 0 bytes]"),
        ({"content": [], "structuredContent": {"a": 1}}, '{\n  "a": 1\n}'),
        ({"content": []}, ""),
    ],
)
def test_every_result_can_be_said(result: dict[str, Any], text: str) -> None:
    assert said(result) == text


def test_on_a_terminal_the_text_is_harmless(
    fixture: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    main(["call", "echo", "text=a\x1b[2Jb", fixture], standalone_mode=False)
    assert capsys.readouterr().out == "a\N{REPLACEMENT CHARACTER}[2Jb\n"


def test_a_name_that_is_nearly_right_is_corrected(run: Run, fixture: str) -> None:
    refused = run("call", "ehco", fixture)
    assert refused.exit_code == 1
    assert "The server has no tool ehco\n  Did you mean echo?" in refused.stderr


def test_a_name_that_is_far_off_gets_the_list(run: Run, fixture: str) -> None:
    assert "It has echo, typed, fail, show, work, vanish." in run("call", "zzz", fixture).stderr


def test_a_second_word_that_is_no_argument_is_refused(run: Run, fixture: str) -> None:
    refused = run("call", "echo", fixture, "hello")
    assert refused.exit_code == 2
    assert "'hello' is no argument\n  Write name=value" in refused.stderr


def test_a_word_that_names_no_server_gets_both_readings(run: Run) -> None:
    refused = run("call", "search_items", "tea")
    assert refused.exit_code == 1
    assert "There is no module tea" in refused.stderr
    assert "name=value" in refused.stderr
