"""Signing in at an OpenID provider and at GitHub, and what happens if somebody meddles with it."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from login_house import Browser, House, Seen, house
from login_provider import CLIENT, SECRET, Provider, provider

from mcp_server.oauth.approvals import Pending
from mcp_server.oauth.login import oidc
from mcp_server.oauth.login.github import GitHub
from mcp_server.oauth.login.identity import NotGenuine, claims_of
from mcp_server.oauth.login.oidc import Oidc, OidcAccount
from mcp_server.oauth.login.upstream import Admitted

Claims = dict[str, Any]


@contextmanager
def at(
    source: Provider, *, subjects: list[str] | None = None, domains: list[str] | None = None, **how: Any
) -> Generator[House]:
    """A server whose people sign in at a provider."""
    account = OidcAccount(how.pop("discovery", source.url), CLIENT, how.pop("secret", SECRET))
    admitted = Admitted.of(subjects or [], domains or [])
    with house(Oidc(account, admitted), **how) as server:
        yield server


def by_hand() -> Browser:
    """A browser that the provider sends back at once."""
    return Browser(user_agent="by-hand")


def signed_in(server: House, browser: Browser, pending: Pending | None = None) -> Seen:
    """The page on which the browser ends."""
    page = browser.get(server.page(pending or server.approvals.ask()))
    [start] = page.links
    return browser.get(f"{server.url}{start}")


def test_whoever_signs_in_elsewhere_is_asked_here() -> None:
    with provider() as source, at(source) as server, by_hand() as browser:
        asked = signed_in(server, browser)
        assert "Anna Example (anna@example.com)" in asked.text
        browser.submit(asked, "/auth/consent", decision="allow")
        assert server.approvals.allowed[0][1].subject == f"{source.url}#auth0|1234"
        [sent] = source.asked
        assert sent["response_type"] == "code"
        assert sent["scope"] == "openid profile email"
        assert sent["code_challenge_method"] == "S256"
        assert sent["redirect_uri"] == f"{server.url}/auth/callback"
        assert "prompt" not in sent


def test_the_discovery_document_can_be_named_itself() -> None:
    with provider() as source:
        discovery = f"{source.url}/.well-known/openid-configuration"
        with at(source, discovery=discovery) as server, by_hand() as browser:
            assert "Allow" in signed_in(server, browser).text


def test_the_secret_travels_as_the_provider_wants_it() -> None:
    for methods in (["client_secret_post"], ["client_secret_basic"], ["private_key_jwt", "client_secret_basic"]):
        metadata = {"token_endpoint_auth_methods_supported": methods}
        with provider(metadata=metadata) as source, at(source) as server, by_hand() as browser:
            assert "Allow" in signed_in(server, browser).text


@pytest.mark.parametrize(
    ("takes", "methods", "status"),
    [
        ("form", ["client_secret_basic", "client_secret_post"], 200),
        ("header", ["client_secret_post", "client_secret_basic"], 200),
        ("form", ["client_secret_basic"], 502),
    ],
)
def test_a_provider_may_take_one_of_those_it_names(takes: str, methods: list[str], status: int) -> None:
    """Auth0, Okta and Keycloak know for each client where its secret must be, and tell of all ways."""
    metadata = {"token_endpoint_auth_methods_supported": methods}
    with provider(metadata=metadata, takes=takes) as source, at(source) as server, by_hand() as browser:
        assert signed_in(server, browser).status == status


@pytest.mark.parametrize(
    ("email", "hd", "status"),
    [
        ("anna@example.com", "example.com", 200),
        ("anna@example.com", None, 403),
        ("anna@example.com", "", 403),
        ("anna@gmail.com", None, 200),
        ("Anna@GoogleMail.com", None, 200),
        ("anna@gmail.com.example.com", None, 403),
    ],
)
def test_an_address_at_google_counts_if_google_answers_for_it(
    email: str, hd: str | None, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with provider() as source:
        monkeypatch.setattr(oidc, "_GOOGLE", source.url)
        source.user |= {"email": email, **({} if hd is None else {"hd": hd})}
        domains = ["example.com", "gmail.com", "googlemail.com", "gmail.com.example.com"]
        with at(source, domains=domains) as server, by_hand() as browser:
            assert signed_in(server, browser).status == status


@pytest.mark.parametrize(
    "key",
    [{}, {"n": "!", "e": "AQAB"}, {"n": 7, "e": "AQAB"}, {"alg": "RS256"}, {"n": "AA", "e": "AQAB", "use": "enc"}],
)
def test_a_key_of_the_provider_that_is_none_checks_nothing(key: dict[str, Any]) -> None:
    source = Provider()
    with pytest.raises(NotGenuine):
        claims_of(source.identity("n"), [{"kty": "RSA", "kid": "k1", **key}], issuer="", client_id=CLIENT, nonce="n")


def test_google_may_call_itself_by_its_name_alone() -> None:
    source = Provider(claims=lambda claims: {**claims, "iss": "accounts.google.com"})
    keys = [{**json.loads(jwt.get_algorithm_by_name("RS256").to_jwk(source.key.public_key())), "kid": "k1"}]  # type: ignore[arg-type]
    token = source.identity("n")
    said = claims_of(token, keys, issuer="https://accounts.google.com", client_id=CLIENT, nonce="n")
    assert said["sub"] == "auth0|1234"
    with pytest.raises(NotGenuine):
        claims_of(token, keys, issuer="https://login.example.com", client_id=CLIENT, nonce="n")


@pytest.mark.parametrize(
    ("algorithm", "key"),
    [
        ("ES256", lambda: ec.generate_private_key(ec.SECP256R1())),
        ("EdDSA", ed25519.Ed25519PrivateKey.generate),
        ("PS256", lambda: rsa.generate_private_key(65537, 2048)),
    ],
)
def test_every_usual_signature_is_understood(algorithm: str, key: Callable[[], Any]) -> None:
    with provider(algorithm=algorithm, key=key(), kid=None) as source, at(source) as server, by_hand() as browser:
        assert "Allow" in signed_in(server, browser).text


def test_new_keys_of_the_provider_are_fetched_when_they_are_used_but_not_all_the_time() -> None:
    now = [1000.0]
    with provider() as source:
        account = OidcAccount(source.url, CLIENT, SECRET)
        with house(Oidc(account, Admitted(), clock=lambda: now[0])) as server, by_hand() as browser:
            assert "Allow" in signed_in(server, browser).text
            source.key, source.kid = rsa.generate_private_key(65537, 2048), "k2"
            browser.client.cookies.clear()
            assert signed_in(server, browser).status == 502
            assert source.fetched_keys == 1
            now[0] += 61
            assert "Allow" in signed_in(server, browser).text
            assert source.fetched_keys == 2


def test_another_account_is_chosen_at_the_provider() -> None:
    for prompts, prompt in (([], "login"), (["login", "select_account"], "select_account")):
        with (
            provider(metadata={"prompt_values_supported": prompts}) as source,
            at(source) as server,
            by_hand() as browser,
        ):
            again = browser.submit(signed_in(server, browser), "/auth/logout")
            browser.get(f"{server.url}{again.links[0]}")
            assert source.asked[-1]["prompt"] == prompt


# Who is let in


@pytest.mark.parametrize(
    ("subjects", "domains"),
    [([], ["example.com"]), (["anna@example.com"], []), (["ANNA@example.com"], []), (["auth0|1234"], []), (["*"], [])],
)
def test_whoever_is_on_the_list_is_let_in(subjects: list[str], domains: list[str]) -> None:
    with provider() as source, at(source, subjects=subjects, domains=domains) as server, by_hand() as browser:
        assert "Allow" in signed_in(server, browser).text


@pytest.mark.parametrize(
    "user",
    [
        {"email": "anna@evil.example"},
        {"email_verified": False},
        {"email_verified": "true"},
        {"email_verified": None},
        {"email": "anna@sub.example.com"},
        {"email": "anna@evil.example@example.com"},
        {"email": "example.com"},
        {"email": ["anna@example.com"]},
    ],
)
def test_whoever_is_not_is_told_so(user: dict[str, Any]) -> None:
    with provider() as source, at(source, domains=["example.com"]) as server, by_hand() as browser:
        source.user |= user
        answer = signed_in(server, browser)
        assert (answer.status, "may not use this server" in answer.text) == (403, True)
        assert "mcp-session" not in browser.cookies()


def test_an_address_that_is_not_in_the_token_is_asked_for() -> None:
    with provider() as source, at(source, domains=["example.com"]) as server, by_hand() as browser:
        source.userinfo = {"sub": "auth0|1234", "email": source.user.pop("email"), "email_verified": True}
        assert "Allow" in signed_in(server, browser).text


def test_an_address_of_somebody_else_does_not_count() -> None:
    with provider() as source, at(source, domains=["example.com"]) as server, by_hand() as browser:
        source.userinfo = {"sub": "auth0|9", "email": source.user.pop("email"), "email_verified": True}
        assert signed_in(server, browser).status == 502


# Meddling with the answer


def refused(server: House, answer: Seen, browser: Browser) -> bool:
    """Whether nobody was signed in, and the page says something."""
    return answer.status in {400, 403, 502} and "<h1>" in answer.text and "mcp-session" not in browser.cookies()


def said(**changes: str | None) -> Callable[[dict[str, str]], dict[str, str]]:
    """What the browser brings back, with changes."""
    return lambda answer: {name: value for name, value in {**answer, **changes}.items() if value is not None}


@pytest.mark.parametrize(
    "answer",
    [
        said(state="made-up"),
        said(state=None),
        said(iss="https://evil.example"),
        said(iss="http://127.0.0.1/"),
        said(iss=None),
        said(code="made-up"),
        said(code=None),
        said(code=None, error="access_denied"),
    ],
)
def test_an_answer_that_is_not_as_it_should_be_signs_nobody_in(
    answer: Callable[[dict[str, str]], dict[str, str]],
) -> None:
    with provider(answer=answer) as source, at(source) as server, by_hand() as browser:
        assert refused(server, signed_in(server, browser), browser)


def test_an_answer_is_good_once() -> None:
    with provider() as source, at(source) as server, Browser(follow=False, user_agent="by-hand") as browser:
        [start] = browser.get(f"{server.url}/auth/login?request={server.approvals.ask().id}").links
        callback = browser.get(browser.get(f"{server.url}{start}").headers["location"]).headers["location"]
        before = browser.cookies()
        source.codes |= {parse_qs(urlsplit(callback).query)["code"][0]: source.asked[0]}
        assert browser.get(callback).status == 303
        source.codes |= {parse_qs(urlsplit(callback).query)["code"][0]: source.asked[0]}
        with Browser(cookie="; ".join(f"{name}={value}" for name, value in before.items())) as replay:
            replayed = replay.get(callback)
            assert (replayed.status, "was not begun here" in replayed.text) == (400, True)


def test_an_answer_that_was_begun_in_another_browser_signs_nobody_in() -> None:
    """Login CSRF: Mallory begins, and has Anna's browser finish, which would then be signed in as Mallory."""
    with provider() as source, at(source) as server, by_hand() as anna:
        pending = server.approvals.ask()
        with Browser(follow=False, user_agent="by-hand") as mallory:
            [start] = mallory.get(f"{server.url}/auth/login?request={pending.id}").links
            callback = mallory.get(mallory.get(f"{server.url}{start}").headers["location"]).headers["location"]
        anna.get(server.page(pending))
        answer = anna.get(callback)
        assert (answer.status, refused(server, answer, anna)) == (400, True)
        anna.client.cookies.clear()
        assert refused(server, anna.get(callback), anna)


def test_a_parameter_that_comes_twice_is_refused() -> None:
    with provider() as source, at(source) as server, Browser(follow=False, user_agent="by-hand") as browser:
        [start] = browser.get(f"{server.url}/auth/login?request={server.approvals.ask().id}").links
        callback = browser.get(browser.get(f"{server.url}{start}").headers["location"]).headers["location"]
        assert browser.get(f"{callback}&iss=https://evil.example").status == 400


def test_the_code_of_another_sign_in_cannot_be_slipped_in() -> None:
    """Code injection: Mallory's code with the state of Anna. PKCE and nonce both speak against it."""
    stolen: list[str] = []
    with provider() as source, at(source) as server, by_hand() as anna:
        with Browser(follow=False, user_agent="by-hand") as mallory:
            [start] = mallory.get(f"{server.url}/auth/login?request={server.approvals.ask().id}").links
            callback = mallory.get(mallory.get(f"{server.url}{start}").headers["location"]).headers["location"]
            stolen.append(parse_qs(urlsplit(callback).query)["code"][0])
        source.answer = said(code=stolen[0])
        assert refused(server, signed_in(server, anna), anna)


def changed(**claims: Any) -> Callable[[Claims], Claims]:
    return lambda said: {name: value for name, value in {**said, **claims}.items() if value is not None}


@pytest.mark.parametrize(
    "claims",
    [
        changed(iss="https://evil.example"),
        changed(aud="another-client"),
        changed(aud=["another-client"]),
        changed(aud=[CLIENT, "another-client"]),
        changed(aud=[CLIENT, "another-client"], azp="another-client"),
        changed(azp="another-client"),
        changed(exp=int(time.time()) - 3600),
        changed(exp=None),
        changed(iat=None),
        changed(iat=int(time.time()) + 3600),
        changed(nbf=int(time.time()) + 3600),
        changed(nonce="made-up"),
        changed(nonce=None),
        changed(nonce=7),
        changed(sub=None),
        changed(sub=""),
        changed(sub="x" * 256),
        changed(sub="two\nlines"),
    ],
)
def test_an_identity_token_that_is_not_for_this_sign_in_signs_nobody_in(claims: Callable[[Claims], Claims]) -> None:
    with provider(claims=claims) as source, at(source) as server, by_hand() as browser:
        answer = signed_in(server, browser)
        assert (answer.status, refused(server, answer, browser)) == (502, True)


@pytest.mark.parametrize("claims", [changed(aud=[CLIENT]), changed(azp=CLIENT), changed(aud=[CLIENT, "x"], azp=CLIENT)])
def test_an_identity_token_that_names_us_properly_is_believed(claims: Callable[[Claims], Claims]) -> None:
    with provider(claims=claims) as source, at(source) as server, by_hand() as browser:
        assert "Allow" in signed_in(server, browser).text


def _payload(token: str) -> Claims:
    return jwt.decode(token, options={"verify_signature": False})


def _unsigned(token: str) -> str:
    return jwt.encode(_payload(token), key="", algorithm="none")


def _with_our_secret(token: str) -> str:
    return jwt.encode(_payload(token), SECRET.ljust(32, "x"), algorithm="HS256", headers={"kid": "k1"})


def _by_another(token: str) -> str:
    return jwt.encode(_payload(token), rsa.generate_private_key(65537, 2048), algorithm="RS256", headers={"kid": "k1"})


def _altered(token: str) -> str:
    head, _, signature = token.split(".")
    forged = base64.urlsafe_b64encode(json.dumps({**_payload(token), "sub": "admin"}).encode()).decode().rstrip("=")
    return f"{head}.{forged}.{signature}"


def _nonsense(_: str) -> str:
    return "nonsense"


@pytest.mark.parametrize("forge", [_unsigned, _with_our_secret, _by_another, _altered, _nonsense])
def test_an_identity_token_that_the_provider_has_not_signed_signs_nobody_in(forge: Callable[[str], str]) -> None:
    with provider(token=forge) as source, at(source) as server, by_hand() as browser:
        answer = signed_in(server, browser)
        assert (answer.status, refused(server, answer, browser)) == (502, True)


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "https://evil.example"},
        {"issuer": None},
        {"token_endpoint": "http://evil.example/token"},
        {"token_endpoint": "ftp://evil.example/token"},
        {"jwks_uri": "http://192.168.1.1/jwks"},
        {"authorization_endpoint": "javascript:alert(1)"},
    ],
)
def test_a_discovery_document_that_leads_astray_is_not_followed(metadata: dict[str, Any]) -> None:
    with provider(metadata=metadata) as source, at(source) as server, by_hand() as browser:
        assert signed_in(server, browser).status == 502


def test_a_provider_that_does_not_answer_is_told_in_plain_words() -> None:
    with provider() as source, at(source, discovery="http://127.0.0.1:9") as server, by_hand() as browser:
        answer = signed_in(server, browser)
        assert (answer.status, "Try once more" in answer.text) == (502, True)
        assert source.asked == []


def test_a_wrong_secret_is_told_to_the_log_and_not_to_the_person(caplog: pytest.LogCaptureFixture) -> None:
    with provider() as source, at(source, secret="wrong-secret") as server, by_hand() as browser:
        answer = signed_in(server, browser)
        assert "invalid_client" in caplog.text
        assert "invalid_client" not in answer.text
        assert "wrong-secret" not in caplog.text + answer.text


def test_a_session_of_one_provider_is_none_of_another() -> None:
    with provider() as source, at(source) as server, by_hand() as browser:
        signed_in(server, browser)
        with provider() as other:
            account = OidcAccount(other.url, CLIENT, SECRET)
            with house(Oidc(account, Admitted())) as second, Browser() as same:
                import asyncio

                [record] = asyncio.run(server.store.find("login-session"))
                asyncio.run(second.store.put("login-session", record.key, record.value, lifetime=60))
                same.client.cookies.set("mcp-session", browser.cookies()["mcp-session"], domain="127.0.0.1", path="/")
                assert "Continue with" in same.get(second.page(second.approvals.ask())).text


# GitHub

OCTOCAT: dict[str, Any] = {"id": 583231, "login": "Octocat", "name": "The Octocat"}


@contextmanager
def at_github(source: Provider, subjects: list[str], domains: list[str] | None = None) -> Generator[House]:
    admitted = Admitted.of(subjects, domains or [])
    way = GitHub(CLIENT, SECRET, admitted, site=source.url, api=source.url)
    with house(way) as server:
        yield server


@pytest.mark.parametrize("subject", ["octocat", "OCTOCAT", "id:583231", "*"])
def test_people_sign_in_at_github(subject: str) -> None:
    with provider(user=OCTOCAT) as source, at_github(source, [subject]) as server, by_hand() as browser:
        asked = signed_in(server, browser)
        assert "The Octocat (Octocat)" in asked.text
        browser.submit(asked, "/auth/consent", decision="allow")
        assert server.approvals.allowed[0][1].subject == "github:583231"
        assert (source.asked[0]["scope"], "nonce" in source.asked[0]) == ("read:user", False)


@pytest.mark.parametrize("user", [{**OCTOCAT, "login": "583231"}, {**OCTOCAT, "id": 1, "login": "other"}])
def test_a_name_at_github_is_no_number(user: dict[str, Any]) -> None:
    with provider(user={**user, "id": 7}) as source, at_github(source, ["id:583231"]) as server, by_hand() as browser:
        assert signed_in(server, browser).status == 403


@pytest.mark.parametrize(
    ("emails", "status"),
    [
        ([{"email": "a@example.com", "primary": True, "verified": True}], 200),
        ([{"email": "a@example.com", "primary": True, "verified": False}], 403),
        ([{"email": "a@example.com", "primary": False, "verified": True}], 403),
        ([{"email": "a@evil.example", "primary": True, "verified": True}], 403),
        (["a@example.com"], 403),
        ({"email": "a@example.com"}, 403),
    ],
)
def test_an_address_at_github_counts_if_it_is_verified(emails: Any, status: int) -> None:
    with (
        provider(user=OCTOCAT, emails=emails) as source,
        at_github(source, [], ["example.com"]) as server,
        by_hand() as browser,
    ):
        assert signed_in(server, browser).status == status
        assert source.asked[0]["scope"] == "read:user user:email"


@pytest.mark.parametrize(
    "user", [{"login": "octocat"}, {"id": True, "login": "octocat"}, {"id": "5", "login": "octocat"}, []]
)
def test_a_github_that_says_nothing_proper_signs_nobody_in(user: Any) -> None:
    with provider(user=user) as source, at_github(source, ["*"]) as server, by_hand() as browser:
        assert signed_in(server, browser).status == 502


def test_another_account_is_chosen_at_github() -> None:
    with provider(user=OCTOCAT) as source, at_github(source, ["*"]) as server, by_hand() as browser:
        again = browser.submit(signed_in(server, browser), "/auth/logout")
        browser.get(f"{server.url}{again.links[0]}")
        assert source.asked[-1]["prompt"] == "select_account"
