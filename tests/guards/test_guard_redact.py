from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_server.guards.redact import MASK, Redactor

SECRET = 'p"ss\\w/rd-é\n12345'


def test_a_secret_is_blotted_out_of_text_and_data() -> None:
    redactor = Redactor(["hunter2hunter2"])
    assert redactor.text("is hunter2hunter2!") == f"is {MASK}!"
    assert redactor.data(b"is hunter2hunter2!") == f"is {MASK}!".encode()


@given(st.text(min_size=8))
def test_a_secret_is_found_in_json_however_it_is_written(secret: str) -> None:
    redactor = Redactor([secret])
    for ascii_only in (True, False):
        written = json.dumps({"a": f"<{secret}>"}, ensure_ascii=ascii_only)
        assert json.loads(redactor.text(written)) == {"a": f"<{MASK}>"}
        data = written.encode("utf-8", "surrogatepass")
        assert json.loads(redactor.data(data).decode("utf-8", "surrogatepass")) == {"a": f"<{MASK}>"}


def test_a_secret_is_found_in_a_connection_string() -> None:
    assert Redactor([SECRET]).text("postgres://u:p%22ss%5Cw%2Frd-%C3%A9%0A12345@db/x") == f"postgres://u:{MASK}@db/x"


def test_of_two_secrets_the_longer_goes_first() -> None:
    redactor = Redactor(["secret-one", "secret-one-and-more"])
    assert redactor.text("secret-one-and-more secret-one") == f"{MASK} {MASK}"


@pytest.mark.parametrize("secret", ["", "short", "1234567"])
def test_a_short_secret_does_not_blot_out_words(secret: str) -> None:
    assert Redactor([secret]).text("a short story of 1234567 words") == "a short story of 1234567 words"


def test_where_there_is_no_secret_nothing_is_copied() -> None:
    text, data = "nothing to hide" * 100, b"nothing to hide" * 100
    redactor = Redactor([SECRET, "hunter2hunter2"])
    assert redactor.text(text) is text
    assert redactor.data(data) is data


def test_a_hook_sees_what_is_left() -> None:
    redactor = Redactor(["hunter2hunter2"], lambda text: text.replace("anna@a.example", "<mail>"))
    assert redactor.text("hunter2hunter2 anna@a.example") == f"{MASK} <mail>"
    assert redactor.data("é hunter2hunter2 anna@a.example".encode()) == f"é {MASK} <mail>".encode()


def test_text_that_a_hook_could_not_clean_does_not_go_out() -> None:
    def broken(text: str) -> str:
        raise LookupError

    with pytest.raises(LookupError):
        Redactor([], broken).text("text")
    with pytest.raises(LookupError):
        Redactor([], broken).data(b"text")
