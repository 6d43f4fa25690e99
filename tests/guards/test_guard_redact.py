from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_server.guards.redact import MASK, Redactor, blot_out_keys

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


KEYS = {
    "OpenAI": "sk-" + "proj-" + "aB3_" * 8,
    "Anthropic": "sk-" + "ant-api03-" + "x9Y-" * 10,
    "AWS": "AK" + "IA" + "ABCDEFGH23456789",
    "GitHub": "gh" + "p_" + "a1B2" * 9,
    "GitHub, fine-grained": "github" + "_pat_" + "a1B2_" * 9,
    "GitLab": "gl" + "pat-" + "aB3-x" * 4,
    "Slack": "xo" + "xb-1234567890-abcdef",
    "Google": "AI" + "za" + "Sy0_-" * 7,
    "Stripe": "sk" + "_live_" + "4eC39HqLyjWDarjtT1zdp7dc",
    "a signed token": "ey" + "JhbGciOiJIUzI1NiJ9" + ".ey" + "JzdWIiOiIxMjM0In0." + "s" * 43,
    "a private key": "-----BEGIN " + "RSA PRIVATE KEY-----\\nMIIB\\n-----END " + "RSA PRIVATE KEY-----",
}


@pytest.mark.parametrize("kind", KEYS)
def test_what_looks_like_a_key_is_blotted_out_on_request(kind: str) -> None:
    written = json.dumps({"text": f"use {KEYS[kind]}, please"})
    assert json.loads(blot_out_keys(written)) == {"text": f"use {MASK}, please"}


@pytest.mark.parametrize(
    "text",
    ["sk-short", "a task-force-of-more-than-twenty-letters", "ghp_x", "eyJ.eyJ.x", "AKIA", "risk_live_x", "é" * 50],
)
def test_what_does_not_look_like_a_key_stays(text: str) -> None:
    assert blot_out_keys(text) == text
