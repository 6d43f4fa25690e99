"""What somebody might try, over real HTTP. Each test fails if the defence it is about is taken away."""

from __future__ import annotations

import base64
import hmac
import io
import logging
from typing import Any
from urllib.parse import urlencode

import httpx2
import pytest
from issuing import CLAUDE, Flow, House, flow, house, leads_to, sent_back

from mcp_server.oauth.server import proving
from mcp_server.oauth.server.client import Client
from mcp_server.oauth.server.handles import digest
from mcp_server.observe.logs import configure

FORM = {"content-type": "application/x-www-form-urlencoded"}
SECRETIVE = Client(
    id="secretive",
    known_by="settings",
    redirect_uris=(CLAUDE[0],),
    method="client_secret_basic",
    secret=digest("a secret that was made well"),
)


def is_a_page(answer: httpx2.Response, *never: str) -> bool:
    """Whether a person reads this, and is sent nowhere."""
    assert answer.status_code == 400, answer.status_code
    assert "location" not in answer.headers
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert not [each for each in never if each in answer.text]
    return True


# Where the browser is sent


def test_an_unknown_client_gets_nobody_redirected(claude: Flow) -> None:
    assert is_a_page(claude.authorize(client_id="test", redirect_uri="http://localhost"))
    assert is_a_page(claude.authorize(client_id="<script>alert(1)</script>"), "<script>")
    assert is_a_page(claude.authorize(client_id=None))


@pytest.mark.parametrize(
    "uri",
    [
        "https://evil.example/",
        CLAUDE[1],
        CLAUDE[0] + "/",
        CLAUDE[0] + "?x=1",
        CLAUDE[0] + "#x",
        CLAUDE[0] + ".evil.example",
        CLAUDE[0].replace("claude.ai", "claude.ai@evil.example"),
        CLAUDE[0].replace("claude.ai", "CLAUDE.ai"),
        CLAUDE[0].replace("claude.ai", "claude.ai."),
        CLAUDE[0].replace("claude.ai", "claude.ai:8443"),
        CLAUDE[0].replace("auth_callback", "%61uth_callback"),
        CLAUDE[0].replace("https", "http"),
        "javascript:alert(1)",
        "//evil.example",
    ],
)
def test_an_address_that_is_not_the_clients_gets_nobody_redirected(claude: Flow, uri: str) -> None:
    assert is_a_page(claude.authorize(redirect_uri=uri), uri)


def test_a_request_for_the_head_alone_leads_nowhere_either(home: House) -> None:
    """`curl -I`, as a guide once tried it, and was glad to be redirected."""
    asked = {"client_id": "test", "redirect_uri": "http://localhost", "code_challenge": "test"}
    with home.client() as http:
        answer = http.head("/authorize", params={**asked, "code_challenge_method": "S256"})
    assert (answer.status_code, "location" in answer.headers, answer.text) == (400, False, "")


def test_a_client_with_two_addresses_has_to_name_one(home: House) -> None:
    with flow(home, client_id="none yet") as client:
        client.register(redirect_uris=list(CLAUDE))
        assert is_a_page(client.authorize(redirect_uri=None))
        assert sent_back(client.http.get(client.authorize(redirect_uri=CLAUDE[1]).headers["location"]))["code"]


@pytest.mark.parametrize("name", ["client_id", "redirect_uri"])
def test_two_clients_or_two_addresses_get_nobody_redirected(claude: Flow, name: str) -> None:
    pairs = [*claude.asks().items(), (name, "https://evil.example/")]
    assert is_a_page(claude.http.get(f"/authorize?{urlencode(pairs)}"))


@pytest.mark.parametrize("name", ["state", "scope", "code_challenge", "code_challenge_method", "response_type"])
def test_what_is_said_twice_is_refused(claude: Flow, name: str) -> None:
    pairs = [*claude.asks().items(), (name, "plain")]
    found = sent_back(claude.http.get(f"/authorize?{urlencode(pairs)}"))
    assert found["error"] == "invalid_request"
    assert found.get("state") == (None if name == "state" else "the state")


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": None}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": "code token"}, "unsupported_response_type"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"response_mode": "form_post"}, "invalid_request"),
        ({"request": "eyJ"}, "request_not_supported"),
        ({"request_uri": "https://evil.example/"}, "request_uri_not_supported"),
        ({"scope": "read admin"}, "invalid_scope"),
        ({"scope": 'read"'}, "invalid_scope"),
        ({"resource": "https://other.example/mcp"}, "invalid_target"),
        ({"resource": "not an address"}, "invalid_target"),
        ({"resource": "http://[/mcp"}, "invalid_target"),
        # A downgrade of PKCE, in each of its forms
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge": None, "code_challenge_method": None}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": "s256"}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
    ],
)
def test_every_other_fault_goes_back_with_state_and_issuer(
    claude: Flow, changes: dict[str, str | None], error: str
) -> None:
    answer = claude.authorize(**changes)
    assert leads_to(answer).startswith(f"{CLAUDE[0]}?")
    found = sent_back(answer)
    # Without `iss` a client could not tell which of its servers has answered (mix-up).
    assert (found["error"], found["state"], found["iss"]) == (error, "the state", claude.house.url)
    assert "code" not in found


def test_the_site_of_a_client_that_anybody_could_be_is_a_link_and_no_redirect(home: House) -> None:
    """Otherwise a link to this server would lead wherever somebody likes, once they have registered."""
    uri = "https://evil.example/?a=<script>&b".replace("<", "%3C").replace(">", "%3E")
    with flow(home, redirect_uri=uri) as client:
        for answer in (
            client.authorize(scope="admin"),
            client.http.post("/authorize", data=client.asks(scope="admin")),
        ):
            assert answer.status_code == 400
            assert "location" not in answer.headers
            assert "refresh" not in answer.headers
            assert "http-equiv" not in answer.text
            assert "<strong>evil.example</strong>" in answer.text
            assert leads_to(answer).startswith(f"{uri}&error=invalid_scope")
            assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
            assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("uri", ["http://127.0.0.1:1455/callback", "cursor://anysphere.cursor-retrieval/oauth"])
def test_a_program_on_the_persons_own_machine_is_told_at_once(home: House, uri: str) -> None:
    with flow(home, redirect_uri=uri) as client:
        assert client.authorize(scope="admin").headers["location"].startswith(f"{uri}?error=invalid_scope")


def test_a_foreign_resource_beside_ours_is_refused(claude: Flow) -> None:
    pairs = [*claude.asks().items(), ("resource", "https://other.example/mcp")]
    assert sent_back(claude.http.get(f"/authorize?{urlencode(pairs)}"))["error"] == "invalid_target"
    pairs = [*claude.asks().items(), ("resource", claude.house.url)]
    assert claude.http.get(f"/authorize?{urlencode(pairs)}").headers["location"].startswith("/approve")


def test_a_state_that_is_too_long_is_not_sent_back(claude: Flow) -> None:
    found = sent_back(claude.authorize(state="x" * 5000))
    assert found["error"] == "invalid_request"
    assert "state" not in found


def test_a_line_break_in_a_state_makes_no_header(claude: Flow) -> None:
    answer = claude.authorize(state="x\r\nset-cookie: a=b", scope="admin")
    assert "set-cookie" not in answer.headers
    assert sent_back(answer)["state"] == "x\r\nset-cookie: a=b"


def test_addresses_never_come_from_the_host_header(claude: Flow) -> None:
    forged = {"host": "evil.example", "x-forwarded-host": "evil.example", "forwarded": "host=evil.example"}
    for path in ("/.well-known/oauth-authorization-server", "/.well-known/openid-configuration/mcp"):
        assert "evil.example" not in claude.http.get(path, headers=forged).text
    answer = claude.http.get("/authorize", params=claude.asks(scope="admin"), headers=forged)
    assert sent_back(answer)["iss"] == claude.house.url
    assert "evil.example" not in claude.http.get("/authorize", params=claude.asks(), headers=forged).headers["location"]


def test_no_address_redirects_to_another_spelling(home: House) -> None:
    with home.client() as http:
        for path in ("/token/", "/authorize/", "/register/", "/.well-known/oauth-authorization-server/mcp/x"):
            assert http.get(path).status_code == 404


# Codes


def test_a_code_is_good_once_and_its_second_use_ends_the_grant(claude: Flow) -> None:
    code = claude.code()
    tokens = claude.redeem(code).json()
    again = claude.redeem(code)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    assert claude.house.verify(tokens["access_token"]) is None
    assert claude.refresh(tokens["refresh_token"]).json()["error"] == "invalid_grant"


def test_a_code_is_over_after_a_minute(claude: Flow) -> None:
    code = claude.code()
    claude.house.clock.now += 60
    assert claude.redeem(code).json()["error"] == "invalid_grant"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"code_verifier": "x" * 43}, "invalid_grant"),
        ({"redirect_uri": CLAUDE[1]}, "invalid_grant"),
        ({"redirect_uri": None}, "invalid_grant"),
    ],
)
def test_a_code_with_a_wrong_proof_is_refused_and_used_up(
    claude: Flow, changes: dict[str, str | None], error: str
) -> None:
    code = claude.code()
    assert claude.redeem(code, **changes).json()["error"] == error
    assert claude.redeem(code).json()["error"] == "invalid_grant"


@pytest.mark.parametrize("verifier", [None, "", "short", "x" * 129, "ä" * 43, "x y" * 20])
def test_a_code_without_a_proper_verifier_is_refused(claude: Flow, verifier: str | None) -> None:
    assert claude.redeem(claude.code(), code_verifier=verifier).json()["error"] == "invalid_request"


def test_the_challenge_is_not_its_own_verifier(claude: Flow) -> None:
    assert claude.redeem(claude.code(), code_verifier=claude.challenge).json()["error"] == "invalid_grant"


def test_a_code_that_was_stolen_is_of_no_use_to_another_client(claude: Flow) -> None:
    code = claude.code()
    with flow(claude.house) as thief:
        assert thief.redeem(code, code_verifier=claude.verifier).json()["error"] == "invalid_grant"


def test_a_code_that_is_injected_into_another_sign_in_does_not_fit(claude: Flow) -> None:
    stolen = claude.code()
    mine = Flow(claude.house, claude.http, claude.client_id)
    assert mine.redeem(stolen).json()["error"] == "invalid_grant"


def test_a_code_does_not_open_another_resource(claude: Flow) -> None:
    answer = claude.redeem(claude.code(), resource="https://other.example/mcp")
    assert answer.json()["error"] == "invalid_target"


def test_a_code_or_a_refresh_token_is_no_access_token(claude: Flow) -> None:
    code = claude.code()
    assert claude.house.verify(code) is None
    tokens = claude.redeem(code).json()
    assert claude.house.verify(tokens["refresh_token"]) is None
    assert claude.refresh(tokens["access_token"]).json()["error"] == "invalid_grant"
    assert claude.house.verify(tokens["access_token"]) is not None


def test_a_pending_request_is_decided_once(claude: Flow) -> None:
    where = claude.authorize().headers["location"]
    assert claude.http.get(where).status_code == 302
    from mcp_server.oauth.approvals import NotPending, Person

    identity = where.partition("request=")[2]
    approvals = claude.house.approvals
    for late in (approvals.pending(identity), approvals.allow(identity, Person("x")), approvals.refuse(identity)):
        with pytest.raises(NotPending):
            claude.house.run(late)


def test_a_token_that_was_changed_is_none(claude: Flow) -> None:
    token = claude.tokens()["access_token"]
    assert claude.house.verify(token) is not None
    last = "0" if token[-1] != "0" else "1"
    for changed in (
        token[:-1] + last,
        token.upper(),
        token + "0",
        token[32:],
        token[:-1],
        " " + token,
        token + "\n",
        "",
    ):
        assert claude.house.verify(changed) is None


# Refresh tokens


def test_a_refresh_token_that_was_used_long_ago_ends_the_grant(claude: Flow) -> None:
    first = claude.tokens()
    second = claude.refresh(first["refresh_token"]).json()
    claude.house.clock.now += 31
    assert claude.refresh(first["refresh_token"]).json()["error"] == "invalid_grant"
    assert claude.refresh(second["refresh_token"]).json()["error"] == "invalid_grant"
    assert claude.house.verify(second["access_token"]) is None


def test_a_refresh_token_of_many_rounds_ago_ends_the_grant(claude: Flow) -> None:
    first = latest = claude.tokens()
    for _ in range(5):
        claude.house.clock.now += 3600
        latest = claude.refresh(latest["refresh_token"]).json()
    assert claude.refresh(first["refresh_token"]).json()["error"] == "invalid_grant"
    assert claude.house.verify(latest["access_token"]) is None


def test_of_two_who_have_one_refresh_token_one_is_found_out(claude: Flow) -> None:
    shared = claude.tokens()["refresh_token"]
    thief = claude.refresh(shared).json()  # in the grace of the one who owns it
    owner = claude.refresh(shared).json()
    claude.house.clock.now += 3600
    assert claude.refresh(owner["refresh_token"]).status_code == 200
    claude.house.clock.now += 3600
    assert claude.refresh(thief["refresh_token"]).json()["error"] == "invalid_grant"
    assert claude.house.verify(owner["access_token"]) is None


def test_a_refresh_token_is_of_no_use_to_another_client(claude: Flow) -> None:
    tokens = claude.tokens()
    with flow(claude.house) as thief:
        assert thief.refresh(tokens["refresh_token"]).json()["error"] == "invalid_grant"
        thief.http.post("/revoke", data={"token": tokens["refresh_token"], "client_id": thief.client_id})
    assert claude.refresh(tokens["refresh_token"]).status_code == 200


def test_a_refresh_token_does_not_open_another_resource(claude: Flow) -> None:
    tokens = claude.tokens()
    answer = claude.refresh(tokens["refresh_token"], resource="https://other.example/mcp")
    assert answer.json()["error"] == "invalid_target"


def test_whoever_knows_where_a_grant_is_can_neither_use_nor_end_it(claude: Flow) -> None:
    tokens = claude.tokens()
    guess = tokens["refresh_token"][:32] + "0" * 96
    assert claude.refresh(guess).json()["error"] == "invalid_grant"
    assert claude.redeem(guess).json()["error"] == "invalid_grant"
    claude.http.post("/revoke", data={"token": guess, "client_id": claude.client_id})
    assert claude.refresh(tokens["refresh_token"]).status_code == 200


# Who asks


def basic(identity: str, secret: str) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(f"{identity}:{secret}".encode()).decode()}


@pytest.mark.parametrize(
    ("said", "headers"),
    [
        ({"client_id": "secretive"}, {}),
        ({"client_id": "secretive", "client_secret": "wrong"}, {}),
        ({"client_id": "nobody"}, {}),
        ({"client_id": "nobody", "client_secret": "a secret that was made well"}, {}),
        ({}, {}),
        ({}, basic("secretive", "wrong")),
        ({}, basic("secretive", "")),
        ({}, basic("nobody", "x")),
        ({}, {"authorization": "Basic !!!"}),
        ({}, {"authorization": "Basic " + base64.b64encode(b"no colon").decode()}),
        ({}, {"authorization": "Bearer abc"}),
    ],
)
def test_a_client_that_proves_nothing_is_told_to_register(said: dict[str, str], headers: dict[str, str]) -> None:
    with house(known=[SECRETIVE]) as home, home.client() as http:
        answer = http.post(
            "/token", data={"grant_type": "refresh_token", "refresh_token": "x", **said}, headers=headers
        )
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
        assert answer.headers["cache-control"] == "no-store"
        assert ("www-authenticate" in answer.headers) == bool(headers)


def test_a_client_that_proves_who_it_is_is_heard() -> None:
    with house(known=[SECRETIVE]) as home, home.client() as http:
        asks = {"grant_type": "refresh_token", "refresh_token": "x"}
        good = "a secret that was made well"
        for said, headers in (
            ({}, basic("secretive", good)),
            ({}, basic("secretive", good.replace(" ", "%20"))),
            ({"client_id": "secretive", "client_secret": good}, {}),
        ):
            assert http.post("/token", data={**asks, **said}, headers=headers).json()["error"] == "invalid_grant"
        twice = http.post("/token", data={**asks, "client_secret": good}, headers=basic("secretive", good))
        assert twice.json()["error"] == "invalid_request"
        other = http.post("/token", data={**asks, "client_id": "x"}, headers=basic("secretive", good))
        assert other.json()["error"] == "invalid_request"


def test_a_public_client_with_a_secret_is_not_believed(claude: Flow) -> None:
    assert claude.refresh("x", client_secret="anything").status_code == 401


def test_secrets_are_compared_as_digests_whether_or_not_there_is_such_a_client(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[int, int]] = []
    original = hmac.compare_digest

    def noting(one: str, other: str) -> bool:
        compared.append((len(one), len(other)))
        return original(one, other)

    with house(known=[SECRETIVE]) as home, home.client() as http:
        for identity in ("secretive", "nobody"):
            monkeypatch.setattr(proving.hmac, "compare_digest", noting)
            http.post("/token", data={"grant_type": "refresh_token"}, headers=basic(identity, "w"))
            monkeypatch.undo()
            assert compared == [(64, 64)]
            compared.clear()


# What is sent


def test_parameters_in_the_query_of_token_are_not_read(claude: Flow) -> None:
    said = {"grant_type": "refresh_token", "client_id": claude.client_id, "refresh_token": "x"}
    answer = claude.http.post("/token", params=said, headers=FORM)
    assert answer.json()["error"] == "invalid_request"


@pytest.mark.parametrize("path", ["/token", "/revoke", "/introspect"])
def test_only_forms_are_read(claude: Flow, path: str) -> None:
    answer = claude.http.post(path, json={"grant_type": "refresh_token", "client_id": claude.client_id})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    assert claude.http.get(path).status_code == 405


@pytest.mark.parametrize("body", [b"a=%ff", b"\xff\xfe=x", b"&".join(b"a%d=b" % n for n in range(100))])
def test_a_form_that_cannot_be_read_is_refused(claude: Flow, body: bytes) -> None:
    answer = claude.http.post("/token", content=body, headers=FORM)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    assert is_a_page(claude.http.post("/authorize", content=body, headers=FORM))


def test_a_form_that_is_too_long_is_refused_before_it_is_read(claude: Flow) -> None:
    def endless() -> Any:
        for _ in range(100):
            yield b"a=" + b"x" * 10_000 + b"&"

    answer = claude.http.post("/token", content=endless(), headers=FORM)
    assert answer.status_code == 413


def test_a_parameter_twice_is_refused_at_token(claude: Flow) -> None:
    body = urlencode([("grant_type", "refresh_token"), ("client_id", claude.client_id), ("client_id", "x")])
    assert claude.http.post("/token", content=body, headers=FORM).json()["error"] == "invalid_request"


def test_a_grant_that_nobody_supports_is_refused(claude: Flow) -> None:
    for grant in ("password", "implicit", "urn:ietf:params:oauth:grant-type:jwt-bearer"):
        answer = claude.token({"grant_type": grant, "client_id": claude.client_id})
        assert answer.json()["error"] == "unsupported_grant_type"
    assert claude.token({"client_id": claude.client_id}).json()["error"] == "invalid_request"


@pytest.mark.parametrize("identity", ["' OR 1=1 --", "x\0y", "x\r\ny", "ü", "x" * 1000, "*", "%"])
def test_a_client_id_is_only_ever_a_name(claude: Flow, identity: str) -> None:
    assert is_a_page(claude.authorize(client_id=identity), identity if len(identity) > 1 else "\0")
    assert claude.refresh("x", client_id=identity).status_code == 401


def test_who_asks_too_often_has_to_wait() -> None:
    with house(rate="5/minute") as home, home.client() as http:
        answers = [http.post("/token", headers=FORM) for _ in range(6)]
        assert [answer.status_code for answer in answers] == [400] * 5 + [429]
        assert answers[5].headers["retry-after"] == "60"
        assert http.get("/authorize").status_code == 429
        assert http.get("/.well-known/oauth-authorization-server").status_code == 200
        somebody = {"x-forwarded-for": "192.0.2.1"}
        assert http.post("/token", headers={**FORM, **somebody}).status_code == 400


def test_no_log_has_a_secret_at_any_level(capfd: pytest.CaptureFixture[str]) -> None:
    stream = io.StringIO()
    before = logging.getLogger().handlers[:], logging.getLogger().level
    log = configure("DEBUG", "text", stream)
    try:
        secret = "a secret that was made well"
        with house(known=[SECRETIVE]) as home, flow(home) as client:
            wheres = [client.authorize().headers["location"] for _ in range(2)]
            code = sent_back(client.http.get(wheres[0]))["code"]
            tokens = client.redeem(code).json()
            newer = client.refresh(tokens["refresh_token"]).json()
            home.verify(newer["access_token"])
            client.redeem(code)
            spoilt = client.code()
            client.redeem(spoilt, code_verifier="y" * 43)
            client.http.post("/token", data={"grant_type": "refresh_token"}, headers=basic("secretive", secret))
            client.http.post("/token", data={"client_secret": secret, "client_id": "secretive"})
            registered = client.register(token_endpoint_auth_method="client_secret_post")
        hidden = [secret, code, spoilt, client.verifier, "y" * 43, registered["client_secret"]]
        hidden += [where.partition("request=")[2] for where in wheres]
        hidden += [each[kind] for each in (tokens, newer) for kind in ("access_token", "refresh_token")]
        log.flush()
        logging.getLogger().handlers[0].flush()
        said = stream.getvalue() + capfd.readouterr().err
    finally:
        log.close()
        logging.getLogger().handlers[:], level = before
        logging.getLogger().setLevel(level)
    assert "OAUTH" in said
    assert [each for each in hidden if each in said] == []


def test_when_the_store_is_away_everybody_is_told_and_nobody_is_let_in(claude: Flow) -> None:
    code = claude.code()
    asks = claude.asks()
    claude.house.run(claude.house.store.close())
    refused = claude.redeem(code)
    assert (refused.status_code, refused.json()["error"]) == (503, "temporarily_unavailable")
    assert "retry-after" in refused.headers
    assert refused.headers["access-control-allow-origin"] == "*"
    assert claude.http.get("/authorize", params=asks).status_code == 503


def test_a_client_of_the_operator_is_sent_back_when_the_store_is_away() -> None:
    with house(known=[SECRETIVE]) as home, flow(home, client_id="secretive") as client:
        home.run(home.store.close())
        found = sent_back(client.authorize())
        assert (found["error"], found["iss"]) == ("temporarily_unavailable", home.url)
