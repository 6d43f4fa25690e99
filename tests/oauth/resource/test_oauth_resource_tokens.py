"""Which tokens open the door, and which do not."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import time
from typing import Any

import jwt
import pytest
from guarded_shop import HOST, KEY, street
from token_office import AUDIENCE, Office

from mcp_server.oauth.resource.claims import Demands, Invalid
from mcp_server.oauth.resource.fetching import Fetcher
from mcp_server.oauth.resource.keysets import KeySet
from mcp_server.oauth.resource.signed import SignedByIssuer, taken_apart

SECRET = "jwt-s3cr3t-" + "b2c3d4e5" * 4


def outcome(office: Office, *tokens: str | None, **settings: Any) -> list[int]:
    """The statuses that these tokens get, one after the other."""

    async def main() -> list[int]:
        async with street(oauth_issuers=office.url, **settings) as there:
            return [(await there.visitor(token).call("hello")).status_code for token in tokens]

    return asyncio.run(main())


def part(value: Any) -> bytes:
    return base64.urlsafe_b64encode(value if isinstance(value, bytes) else json.dumps(value).encode()).rstrip(b"=")


def forged(header: Any, claims: Any, signature: bytes = b"") -> str:
    return b".".join([part(header), part(claims), part(signature)]).decode()


def with_hmac(office: Office, secret: bytes, header: dict[str, Any]) -> str:
    """A token signed with something that is public; PyJWT itself refuses to make one."""
    signed = part(header) + b"." + part(office.claims())
    return (signed + b"." + part(hmac.digest(secret, signed, "sha256"))).decode()


@pytest.mark.parametrize(
    ("alg", "kind"),
    [
        ("RS256", "rsa"),
        ("RS384", "rsa"),
        ("RS512", "rsa"),
        ("PS256", "rsa"),
        ("PS384", "rsa"),
        ("PS512", "rsa"),
        ("ES256", "p256"),
        ("ES384", "p384"),
        ("ES512", "p521"),
        ("EdDSA", "ed"),
    ],
)
def test_a_token_of_the_issuer_opens_the_door(office: Office, alg: str, kind: str) -> None:
    assert outcome(office, office.issue(alg, kind)) == [200]


def test_a_tool_learns_who_calls(office: Office) -> None:
    async def main() -> Any:
        async with street(oauth_issuers=office.url) as there:
            token = office.issue(email="anna@example.com", scope="items:read other")
            return (await there.visitor(token).call("look")).json()["result"]["structuredContent"]

    assert asyncio.run(main()) == {
        "subject": "anna",
        "client": "claude",
        "issuer": office.url,
        "scopes": ["items:read", "other"],
        "email": "anna@example.com",
        "may write": False,
    }


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "https://other.example.com/mcp"},
        {"aud": "https://api.example.com.evil.example/mcp"},
        {"aud": "https://api.example.com/mcp/other"},
        {"aud": [["https://api.example.com/mcp"]]},
        {"aud": {"https://api.example.com/mcp": 1}},
        {"aud": None},
        {"aud": "https://["},
        {"iss": "https://issuer.example.com"},
        {"iss": None},
        {"iss": ["x"]},
        {"exp": None},
        {"exp": 1},
        {"exp": "9999999999"},
        {"exp": True},
        {"exp": 10**400},
        {"exp": -1},
        {"nbf": 9_999_999_999},
        {"nbf": "0"},
        {"sub": "", "client_id": "x"},
        {"sub": ["anna"]},
        {"sub": None, "client_id": None},
        {"cnf": {"jkt": "abc"}},
    ],
    ids=str,
)
def test_a_token_that_does_not_say_the_right_thing_is_refused(office: Office, claims: Any) -> None:
    assert outcome(office, office.issue(), office.issue(**claims)) == [200, 401]


def test_not_a_number_is_no_time(office: Office) -> None:
    body = json.dumps(office.claims()).replace(str(office.claims()["exp"]), "NaN").encode()
    token = jwt.PyJWS().encode(body, office.keys["rsa"], algorithm="RS256", headers={"kid": "rsa"})
    assert b"NaN" in body
    assert outcome(office, token) == [401]


@pytest.mark.parametrize(
    "audience",
    [
        HOST,
        f"{HOST}/",
        f"{HOST}/mcp",
        f"{HOST}/mcp/sse",
        "HTTPS://API.EXAMPLE.COM/mcp",
        ["urn:other", f"{HOST}/mcp"],
        "api://catalogue",
    ],
    ids=str,
)
def test_every_address_of_the_server_and_what_the_operator_adds_is_an_audience(office: Office, audience: Any) -> None:
    assert outcome(office, office.issue(aud=audience), oauth_audience="api://catalogue") == [200]


def test_the_clock_of_an_issuer_may_differ_a_little(office: Office) -> None:
    now = int(time.time())
    tokens = [office.issue(exp=now - 10), office.issue(nbf=now + 10), office.issue(exp=now - 60, iat=now - 90)]
    assert outcome(office, *tokens) == [200, 200, 401]


def test_a_token_without_a_signature_is_refused(office: Office) -> None:
    tokens = [forged({"alg": alg, "kid": "rsa"}, office.claims()) for alg in ("none", "None", "NONE", "")]
    assert outcome(office, *tokens) == [401] * 4
    assert office.asked == []


@pytest.mark.parametrize("secret", [None, SECRET])
@pytest.mark.parametrize("form", ["pem", "jwk"])
def test_a_public_key_is_no_secret(office: Office, form: str, secret: str | None) -> None:
    public = office.pem() if form == "pem" else json.dumps(office.public("rsa")).encode()
    token = with_hmac(office, public, {"alg": "HS256", "kid": "rsa", "typ": "JWT"})
    assert outcome(office, token, mcp_jwt_secret=secret) == [401]


def test_a_secret_among_the_published_keys_signs_nothing(office: Office) -> None:
    office.published = [{"kty": "oct", "k": part(SECRET.encode()).decode(), "kid": "shared", "alg": "HS256"}]
    token = jwt.encode(office.claims(), SECRET, algorithm="HS256", headers={"kid": "shared"})
    assert outcome(office, token) == [401]


def test_the_token_does_not_say_which_key_checks_it(office: Office) -> None:
    mine = office.other
    public = json.loads(jwt.get_algorithm_by_name("RS256").to_jwk(mine.public_key()))
    headers: list[dict[str, Any]] = [
        {"kid": "rsa", "jwk": public},
        {"kid": "rsa", "jku": f"{office.url}/elsewhere"},
        {"kid": "rsa", "x5u": f"{office.url}/elsewhere"},
        {"kid": "../../elsewhere"},
        {"kid": "rsa' OR '1'='1"},
        {"kid": f"{office.url}/elsewhere"},
        {},
    ]
    tokens = [jwt.encode(office.claims(), mine, algorithm="RS256", headers=header) for header in headers]
    assert outcome(office, *tokens) == [401] * len(headers)
    assert "/elsewhere" not in office.asked


def test_a_key_is_good_for_its_own_algorithms_only(office: Office) -> None:
    office.published = [office.public("rsa", kid="rsa", alg="RS256"), office.public("p256", kid="p256", use="enc")]
    tokens = [office.issue("RS256"), office.issue("PS256"), office.issue("RS512"), office.issue("ES256", "p256")]
    assert outcome(office, *tokens) == [200, 401, 401, 401]


def test_a_small_key_is_none(office: Office) -> None:
    small = json.loads(jwt.get_algorithm_by_name("RS256").to_jwk(office.small.public_key()))
    office.published = [{**small, "kid": "small"}]
    signed = part({"alg": "RS256", "kid": "small"}) + b"." + part(office.claims())
    from cryptography.hazmat.primitives.asymmetric import padding
    from cryptography.hazmat.primitives.hashes import SHA256

    signature = office.small.sign(signed, padding.PKCS1v15(), SHA256())
    assert outcome(office, (signed + b"." + part(signature)).decode()) == [401]


def test_what_is_changed_after_it_was_signed_is_refused(office: Office) -> None:
    head, claims, signature = office.issue().split(".")
    changed = part({**office.claims(), "sub": "boss"}).decode()
    assert outcome(office, f"{head}.{changed}.{signature}", f"{head}.{claims}.AAAA", f"{head}.{claims}.") == [401] * 3


@pytest.mark.parametrize(
    "headers",
    [{"typ": "dpop+jwt"}, {"typ": "logout+jwt"}, {"typ": "oauth-id-jag+jwt"}, {"crit": ["exp"], "exp": 1}],
    ids=str,
)
def test_what_is_signed_but_no_access_token_is_refused(office: Office, headers: Any) -> None:
    assert outcome(office, office.issue(headers=headers)) == [401]


@pytest.mark.parametrize("typ", ["at+jwt", "application/at+jwt", "JWT", "AT+JWT"])
def test_an_access_token_may_call_itself_one(office: Office, typ: str) -> None:
    assert outcome(office, office.issue(headers={"typ": typ})) == [200]


def test_a_token_need_not_name_its_key_where_there_is_one(office: Office) -> None:
    alone, ambiguous = office.issue(kid=None), office.issue("ES256", "p256", kid=None)
    office.published.append(office.public("p256", kid="second"))
    assert outcome(office, alone, ambiguous) == [200, 401]


@pytest.mark.parametrize(
    "token",
    [
        "x",
        "a.b.c",
        "..",
        "e30.e30.e30",
        "W10.W10.W10",
        "a.b.c.d.e",
        forged({"alg": 5}, {}),
        forged({"alg": "RS256", "kid": 5}, {}),
        forged({"alg": "RS256", "kid": "rsa"}, []),
        "x" * 20_000,
    ],
    ids=lambda token: token[:20],
)
def test_nonsense_is_refused(office: Office, token: str) -> None:
    assert outcome(office, token) == [401]


def test_a_token_in_the_url_is_not_looked_at(office: Office) -> None:
    async def main() -> list[int]:
        async with street(oauth_issuers=office.url) as there:
            body = {"action": "list_tools"}
            queries = [f"access_token={office.issue()}", f"token={office.issue()}", f"api_key={office.issue()}"]
            return [(await there.visitor().post(body, f"/mcp?{query}")).status_code for query in queries]

    assert asyncio.run(main()) == [401] * 3


def test_a_line_break_in_a_token_makes_no_header_and_no_line_of_the_log(
    office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> Any:
        async with street(oauth_issuers=office.url) as there:
            raw = [
                (b"authorization", b"Bearer x\r\nx-evil: 1\r\n=== OAUTH SUCCESS ==="),
                (b"accept", b"application/json"),
            ]
            return await there.web.post("/mcp", json={"action": "list_tools"}, headers=raw)

    caplog.set_level("INFO")
    answer = asyncio.run(main())
    assert answer.status_code == 401
    assert "x-evil" not in answer.headers
    assert "evil" not in caplog.text


def test_what_is_signed_and_broken_is_refused(office: Office) -> None:
    assert outcome(office, office.issue(headers={"alg": "RS256", "kid": "rsa", "typ": 5})) == [401]


def test_scopes_are_read_in_every_spelling(office: Office) -> None:
    async def main() -> list[int]:
        async with street(oauth_issuers=office.url) as there:
            said: list[dict[str, Any]] = [
                {"scope": "a items:read"},
                {"scope": None, "scp": "items:read"},
                {"scope": None, "scp": ["a", "items:read"]},
                {"scope": ["items:read"]},
                {"scope": "items:readx"},
                {"scope": {"items:read": 1}},
                {"scope": 5},
            ]
            tokens = [office.issue(**claims) for claims in said]
            return [(await there.visitor(token).call("look")).status_code for token in tokens]

    assert asyncio.run(main()) == [200, 200, 200, 200, 403, 403, 403]


def test_a_key_and_a_token_are_good_side_by_side(office: Office) -> None:
    assert outcome(office, KEY, office.issue(), f"{KEY}x", mcp_api_key=KEY) == [200, 200, 401]


def test_the_holder_of_a_key_may_do_everything(office: Office) -> None:
    async def main() -> list[int]:
        async with street(oauth_issuers=office.url, mcp_api_key=KEY) as there:
            return [(await there.visitor(KEY).call(tool)).status_code for tool in ("look", "change")]

    assert asyncio.run(main()) == [200, 200]


def test_a_verifier_takes_the_tokens_of_its_own_issuer_only(office: Office) -> None:
    token = taken_apart(office.issue(iss="https://another.example.com").encode())
    assert token is not None
    verifier = SignedByIssuer(office.url, KeySet(office.url, Fetcher()), Demands([AUDIENCE]))
    with pytest.raises(Invalid, match="another issuer"):
        asyncio.run(verifier.access(token))


# Tokens that are signed with a secret


def by_secret(office: Office, secret: str = SECRET, **claims: Any) -> str:
    return jwt.encode(office.claims(**claims), secret, algorithm="HS256")


def test_a_token_signed_with_the_secret_opens_the_door(office: Office) -> None:
    tokens = [by_secret(office, iss=iss) for iss in (None, "https://my.example")]
    assert outcome(office, *tokens, mcp_jwt_secret=SECRET) == [200, 200]


def test_without_a_secret_such_a_token_is_refused(office: Office) -> None:
    assert outcome(office, by_secret(office, iss="https://my.example")) == [401]


def test_a_token_signed_with_the_secret_is_checked_like_any_other(office: Office) -> None:
    wrong = [
        by_secret(office, "another-secret-" + "c" * 32, iss=None),
        by_secret(office, iss=None, aud="https://other.example.com"),
        by_secret(office, iss=None, exp=1),
        jwt.encode(office.claims(iss=None), SECRET + SECRET, algorithm="HS512"),
    ]
    assert outcome(office, *wrong, mcp_jwt_secret=SECRET) == [401] * 4


def test_who_has_the_secret_does_not_speak_for_the_issuer(office: Office) -> None:
    assert outcome(office, by_secret(office), mcp_jwt_secret=SECRET) == [401]
