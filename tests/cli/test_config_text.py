"""Changing one member of somebody's JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_server.cli.config_text import NoObject, with_member
from mcp_server.cli.masking import masked

ENTRY = {"command": "python", "args": ["-m", "x"]}

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=12,
)
objects = st.dictionaries(st.text(max_size=4), values, max_size=4)
layouts = st.sampled_from([None, 0, 1, 2, 4, "\t"])
containers = st.none() | st.dictionaries(st.sampled_from(["mine", "other", "third"]), values, max_size=3)


def with_entry(text: str) -> str:
    return with_member(text, "servers", "mine", ENTRY)


def test_a_member_is_added_after_the_last_in_its_layout() -> None:
    text = '{\n    "servers": {\n        "a": {"x":   1}\n    },\n    "theme": "dark"\n}'
    assert with_member(text, "servers", "mine", {"command": "c"}) == (
        '{\n    "servers": {\n        "a": {"x":   1},\n        "mine": {\n            "command": "c"\n        }\n'
        '    },\n    "theme": "dark"\n}'
    )


def test_a_member_that_is_there_is_replaced_where_it_stands() -> None:
    text = '{"servers": {"mine":[1, 2] ,"b": 2}}\n'
    assert with_member(text, "servers", "mine", 3) == '{"servers": {"mine":3 ,"b": 2}}\n'


def test_one_line_stays_one_line() -> None:
    assert with_member('{"a":1, "servers":{"b":2}}', "servers", "mine", [1]) == (
        '{"a":1, "servers":{"b":2,"mine": [1]}}'
    )


def test_an_empty_object_is_opened() -> None:
    assert with_member('{\n\t"servers": {}\n}', "servers", "mine", 1) == '{\n\t"servers": {\n\t\t"mine": 1\n\t}\n}'
    assert with_member("{}", "servers", "mine", 1) == '{\n  "servers": {\n    "mine": 1\n  }\n}'


def test_lines_end_as_they_did() -> None:
    changed = with_entry('{\r\n  "a": 1\r\n}\r\n')
    assert changed.count("\n") == changed.count("\r\n")


def test_of_two_members_of_one_name_the_one_that_counts_is_changed() -> None:
    text = '{"servers": {"mine": 1, "mine": 2}}'
    assert with_member(text, "servers", "mine", 3) == '{"servers": {"mine": 1, "mine": 3}}'


@pytest.mark.parametrize("text", ["[]", '"x"', '{"servers": []}', '{"servers": null}'])
def test_what_is_no_object_gets_no_member(text: str) -> None:
    with pytest.raises(NoObject):
        with_entry(text)


@given(before=objects, container=containers, after=objects, layout=layouts, ending=st.sampled_from(["\n", "\r\n"]))
def test_the_result_is_the_same_document_with_one_member_changed(
    before: dict[str, Any],
    container: dict[str, Any] | None,
    after: dict[str, Any],
    layout: int | str | None,
    ending: str,
) -> None:
    document = {**before, **({} if container is None else {"servers": container}), **after}
    text = json.dumps(document, indent=layout).replace("\n", ending)
    changed = with_entry(text)
    assert json.loads(changed) == {**document, "servers": {**(container or {}), "mine": ENTRY}}
    assert list(json.loads(changed)) == list({**document, "servers": None})


@given(before=objects, servers=st.dictionaries(st.sampled_from("abc"), values, max_size=3), layout=layouts)
def test_all_that_was_there_is_still_there_byte_for_byte(
    before: dict[str, Any], servers: dict[str, Any], layout: int | str | None
) -> None:
    text = json.dumps({**before, "servers": servers}, indent=layout)
    changed = iter(with_entry(text))
    assert all(each in changed for each in text)


def test_secrets_are_masked_in_every_server() -> None:
    text = json.dumps(
        {
            "env": {"A": "shown"},
            "servers": {
                "a": {"env": {"KEY": "s3cret", "PATH": "/bin"}, "headers": {"Authorization": "s3cret"}, "args": ["x"]},
                "b": {"env": "s3cret is no object, and not ours to judge"},
                "c": 5,
            },
        }
    )
    assert json.loads(masked(text, "servers")) == {
        "env": {"A": "shown"},
        "servers": {
            "a": {"env": {"KEY": "***", "PATH": "/bin"}, "headers": {"Authorization": "***"}, "args": ["x"]},
            "b": {"env": "s3cret is no object, and not ours to judge"},
            "c": 5,
        },
    }


def test_where_there_are_no_servers_nothing_is_masked() -> None:
    assert masked('{"a": 1}', "servers") == '{"a": 1}'
