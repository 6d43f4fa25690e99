"""Which addresses a client may name, and when one is the one it has named."""

from __future__ import annotations

import pytest

from mcp_server.oauth.server.redirects import fault_in, matches, with_answer

GOOD = [
    "https://claude.ai/api/mcp/auth_callback",
    "https://claude.com/api/mcp/auth_callback",
    "https://chatgpt.com/connector_platform_oauth_redirect",
    "https://chatgpt.com/connector/oauth/AbC-123_x",
    "https://vscode.dev/redirect",
    "https://client.example:8443/cb?tenant=a&b",
    "https://[2001:db8::1]/cb",
    "https://localhost:3000/cb",
    "http://127.0.0.1:33418/",
    "http://127.0.0.1:33418",
    "http://127.0.0.1/callback",
    "http://[::1]:5000/cb",
    "http://localhost:6274/oauth/callback",
    "cursor://anysphere.cursor-mcp/oauth/callback",
    "cursor://anysphere.cursor-retrieval/oauth/user-mcp/callback",
    "vscode://vscode.github-authentication/did-authenticate",
    "windsurf://oauth/callback",
    "com.example.app:/oauth2redirect",
    "com.example.app:oauth",
]
BAD = [
    "",
    "javascript:alert(1)",
    "JavaScript:alert(1)",
    "data:text/html,x",
    "vbscript:x",
    "file:///etc/passwd",
    "blob:https://a.example/x",
    "view-source:https://a.example",
    "intent://x",
    "ms-appinstaller:?source=x",
    "ms-msdt:/id",
    "ms-word:ofe",
    "x-apple.systempreferences:x",
    "itms-services://?action=download-manifest",
    "shell:startup",
    "Search:query=x",
    "webcal://a.example/x",
    "ws://127.0.0.1/",
    "http://client.example/cb",
    "http://127.0.0.1.evil.example/cb",
    "http://127.0.0.1@evil.example/cb",
    "http://127.0.0.1:80@evil.example/cb",
    "http://localhost.evil.example/cb",
    "http://localhost:99999/cb",
    "http://localhost:0/cb",
    "http://LOCALHOST/cb",
    "http://0.0.0.0/cb",
    "http://10.0.0.1/cb",
    "http://127.1/cb",
    "http://[::ffff:127.0.0.1]/cb",
    "https://user@client.example/cb",
    "https://user:word@client.example/cb",
    "https://client.example@evil.example/cb",
    "https://client.example/cb#fragment",
    "https://client.example/cb#",
    "https://*.example/cb",
    "https://client.example/*",
    "https://client.example\\@evil.example/cb",
    "https://client.example/cb\r\nX: y",
    "https://client.example/c b",
    "https://client.example/ü",
    "https://client.example./cb",
    "https://.example/cb",
    "https://client.example:99999/cb",
    "https:///cb",
    "https://",
    "https:client.example/cb",
    "//client.example/cb",
    "/cb",
    "client.example/cb",
    "cursor:",
    "cursor://",
    "cursor://user@host/cb",
    "cursor://host:80/cb",
    "c:/windows",
    "https://client.example/" + "a" * 2000,
]


@pytest.mark.parametrize("uri", GOOD)
def test_an_address_of_a_real_client_is_accepted(uri: str) -> None:
    assert fault_in(uri) is None
    assert matches(uri, uri)


@pytest.mark.parametrize("uri", BAD)
def test_a_dangerous_address_is_refused(uri: str) -> None:
    assert fault_in(uri) is not None


@pytest.mark.parametrize(
    ("registered", "asked"),
    [
        ("http://127.0.0.1/cb", "http://127.0.0.1:50001/cb"),
        ("http://127.0.0.1:33418/cb", "http://127.0.0.1:50001/cb"),
        ("http://127.0.0.1:33418/cb", "http://127.0.0.1/cb"),
        ("http://[::1]:1/cb?a=b", "http://[::1]:2/cb?a=b"),
        ("http://localhost/cb", "http://localhost:50001/cb"),
        ("http://127.0.0.1", "http://127.0.0.1:5"),
    ],
)
def test_the_port_on_the_persons_own_machine_does_not_count(registered: str, asked: str) -> None:
    assert matches(registered, asked)


@pytest.mark.parametrize(
    ("registered", "asked"),
    [
        ("https://client.example/cb", "https://client.example/cb/"),
        ("https://client.example/cb", "https://client.example/cb/../evil"),
        ("https://client.example/cb", "https://client.example/cbevil"),
        ("https://client.example/cb", "https://client.example/CB"),
        ("https://client.example/cb", "https://Client.example/cb"),
        ("https://client.example/cb", "HTTPS://client.example/cb"),
        ("https://client.example/cb", "https://client.example./cb"),
        ("https://client.example/cb", "https://client.example:443/cb"),
        ("https://client.example/cb", "https://client.example:8443/cb"),
        ("https://client.example/cb", "https://client.example/cb?x=y"),
        ("https://client.example/cb", "https://client.example/cb#x"),
        ("https://client.example/cb", "https://client.example/%63b"),
        ("https://client.example/cb", "https://client.example%2f@evil.example/cb"),
        ("https://client.example/cb", "https://client.example@evil.example/cb"),
        ("https://client.example/cb", "https://client.example.evil.example/cb"),
        ("https://client.example/cb", "https://evil.example/https://client.example/cb"),
        ("https://client.example/cb", "http://client.example/cb"),
        ("https://client.example/cb", "https://client.example/cb "),
        ("https://client.example/cb", ""),
        ("http://127.0.0.1/cb", "http://localhost/cb"),
        ("http://127.0.0.1/cb", "http://127.0.0.2/cb"),
        ("http://127.0.0.1/cb", "https://127.0.0.1/cb"),
        ("http://127.0.0.1/cb", "http://127.0.0.1:1/other"),
        ("http://127.0.0.1/cb", "http://127.0.0.1:1/cb#x"),
        ("http://127.0.0.1/cb", "http://127.0.0.1:1@evil.example/cb"),
        ("http://127.0.0.1/cb", "http://127.0.0.1:99999/cb"),
        ("http://127.0.0.1/cb", "http://127.0.0.1:/cb"),
        ("https://localhost/cb", "https://localhost:1/cb"),
        ("cursor://host/cb", "cursor://host/cb/"),
        ("cursor://host/cb", "CURSOR://host/cb"),
    ],
)
def test_nothing_else_is_taken_for_the_registered_address(registered: str, asked: str) -> None:
    assert not matches(registered, asked)


def test_an_answer_is_put_behind_what_is_there() -> None:
    assert with_answer("https://a.example/", code="c", state=None, iss="https://i.example") == (
        "https://a.example/?code=c&iss=https%3A%2F%2Fi.example"
    )
    assert with_answer("https://a.example/?x", code="c") == "https://a.example/?x&code=c"
    assert with_answer("https://a.example/?", code="c") == "https://a.example/?code=c"
    assert with_answer("com.app:/cb", state="a\r\nb&c=d") == "com.app:/cb?state=a%0D%0Ab%26c%3Dd"
