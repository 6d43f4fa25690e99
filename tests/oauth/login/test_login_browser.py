"""The pages in a real Chromium: what a person does, and what a hostile page tries."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Generator
from pathlib import Path

import pytest
from certificates import self_signed
from login_chromium import Chromium, chromium
from login_house import PASSWORD, House, client_site, house, quick_users, running
from login_provider import CLIENT, SECRET, provider
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from mcp_server.oauth.approvals import Person
from mcp_server.oauth.login import totp
from mcp_server.oauth.login.oidc import Oidc, OidcAccount
from mcp_server.oauth.login.sessions import Consents
from mcp_server.oauth.login.upstream import Admitted


@pytest.fixture(scope="module")
def one_browser() -> Generator[Chromium]:
    with chromium() as found:
        yield found


@pytest.fixture
def browser(one_browser: Chromium) -> Chromium:
    one_browser.open("about:blank")
    one_browser.forget()
    one_browser.console()
    return one_browser


def sign_in(browser: Chromium, name: str = "anna", password: str = PASSWORD) -> None:
    browser.wait_for("Sign in")
    browser.type("User name", name)
    browser.type("Password", password)
    browser.press("Sign in")


def test_a_person_signs_in_allows_and_arrives_at_the_client(browser: Chromium) -> None:
    """The client's site sends the browser on to another host at once, which a policy for forms would forbid."""
    app, told = client_site()
    with running(app) as site, house() as server:
        pending = server.approvals.ask(redirect_uri=f"{site.replace('127.0.0.1', 'localhost')}/callback")
        browser.open(server.page(pending))
        sign_in(browser)
        browser.wait_for("Allow access?")
        assert "localhost" in browser.find(".goes b").text
        browser.press("Allow")
        browser.wait_for("The client")
        assert told[0]["code"] == "code-of-local:anna"
        assert told[0]["referer"] == ""
        assert browser.url == f"{site}/done"


def test_a_person_refuses_and_arrives_at_the_client(browser: Chromium) -> None:
    app, told = client_site()
    with running(app) as site, house() as server:
        browser.open(server.page(server.approvals.ask(redirect_uri=f"{site}/callback")))
        sign_in(browser)
        browser.wait_for("Allow access?")
        browser.press("Refuse")
        browser.wait_for("The client")
        assert told[0]["error"] == "access_denied"


def test_a_person_corrects_a_password_and_gives_a_code(browser: Chromium) -> None:
    with house() as server:
        secret = totp.new_secret()
        asyncio.run(quick_users(server.store).set_codes("anna", secret, []))
        browser.open(server.page(server.approvals.ask()))
        sign_in(browser, password="wrong horse battery")
        browser.wait_for("Error: Sign in")
        assert browser.find("[role=alert]").text.startswith("That user name")
        assert browser.attribute("#password", "aria-describedby") == "fault"
        sign_in(browser)
        browser.wait_for("Enter your code")
        browser.type("Code", totp.code_at(secret, int(time.time() // totp.STEP)))
        browser.press("Go on")
        browser.wait_for("Allow access?")


def test_over_https_the_browser_takes_the_cookies(tmp_path: Path) -> None:
    # A browser of its own, which is gone before the server: neither waits for the other to say goodbye over TLS.
    with house(tls=self_signed(tmp_path, "localhost"), host="localhost") as server, chromium() as browser:
        browser.open(server.page(server.approvals.ask()))
        sign_in(browser)
        browser.wait_for("Allow access?")
        assert browser.cookies() == {"__Host-mcp-session"}


def test_a_person_uses_the_keyboard_alone(browser: Chromium) -> None:
    app, told = client_site()
    with running(app) as site, house() as server:
        browser.open(server.page(server.approvals.ask(redirect_uri=f"{site}/callback")))
        browser.wait_for("Sign in")
        active = browser.driver.switch_to.active_element
        active.send_keys("anna", Keys.TAB)
        browser.driver.switch_to.active_element.send_keys(PASSWORD, Keys.ENTER)
        browser.wait_for("Allow access?")
        order: list[str] = []
        for _ in range(3):
            browser.find("body").send_keys(
                Keys.TAB
            ) if not order else browser.driver.switch_to.active_element.send_keys(Keys.TAB)
            order.append(browser.driver.switch_to.active_element.text)
        assert order == ["Refuse", "Allow", "Use another account"]
        browser.driver.switch_to.active_element.send_keys(Keys.SHIFT, Keys.TAB)
        browser.driver.switch_to.active_element.send_keys(Keys.ENTER)
        browser.wait_for("The client")
        assert told[0]["code"] == "code-of-local:anna"


def test_a_person_goes_on_with_another_account(browser: Chromium) -> None:
    with house(users={"anna": PASSWORD, "bob": PASSWORD}) as server:
        browser.open(server.page(server.approvals.ask()))
        sign_in(browser)
        browser.wait_for("Allow access?")
        browser.press("Use another account")
        sign_in(browser, "bob")
        browser.wait_for("Allow access?")
        assert "Signed in as Bob" in browser.text


def test_a_person_signs_in_at_a_provider(browser: Chromium) -> None:
    app, told = client_site()
    with provider() as source, running(app) as site:
        # Another host for the provider, so that its answer comes from another site.
        source.url = source.url.replace("127.0.0.1", "localhost")
        account = OidcAccount(source.url, CLIENT, SECRET)
        with house(Oidc(account, Admitted())) as server:
            browser.open(server.page(server.approvals.ask(redirect_uri=f"{site}/callback")))
            browser.wait_for("Sign in")
            browser.press("Continue with localhost")
            browser.wait_for("The provider")
            browser.press("I am Anna")
            browser.wait_for("Allow access?")
            assert "Anna Example" in browser.text
            browser.press("Allow")
            browser.wait_for("The client")
            assert told[0]["code"] == f"code-of-{source.url}#auth0|1234"


def test_a_remembered_consent_lets_a_person_through_right_after_signing_in(browser: Chromium) -> None:
    """From the form to sign in, over our own redirect, to the client: the whole chain in one go."""
    app, told = client_site()
    with running(app) as site, house(remember_consent=86_400) as server:
        # What listens on this machine is never remembered; this name is a site's, which the browser finds here.
        pending = server.approvals.ask(redirect_uri=site.replace("127.0.0.1", "client.test") + "/callback")
        asyncio.run(Consents(server.store, 60).remember(pending, Person("local:anna")))
        browser.open(server.page(pending))
        sign_in(browser)
        browser.wait_for("The client")
        assert told[0]["code"] == "code-of-local:anna"


# What a hostile page tries


def hostile(server: House, body: str) -> Starlette:
    async def page(_: Request) -> Response:
        return HTMLResponse(f"<title>Hostile</title>{body.replace('SERVER', server.url)}")

    return Starlette(routes=[Route("/", page)])


def test_the_page_cannot_be_framed(browser: Chromium) -> None:
    with house() as server:
        pending = server.approvals.ask()
        browser.open(server.page(pending))
        sign_in(browser)
        browser.wait_for("Allow access?")
        address = server.page(pending)
        with running(hostile(server, f"<iframe src='{address}'></iframe>")) as site:
            browser.open(site)
            browser.driver.switch_to.frame(browser.find("iframe"))
            assert browser.driver.find_elements(By.TAG_NAME, "button") == []
            browser.driver.switch_to.default_content()
            assert any("frame" in line.lower() for line in browser.console())


@pytest.mark.parametrize("elsewhere", ["localhost", "127.0.0.1"])
def test_a_form_on_a_hostile_page_allows_nothing(browser: Chromium, elsewhere: str) -> None:
    """Of another site (no cookie comes along), and of another port on this machine (the cookie does)."""
    with house() as server:
        pending = server.approvals.ask()
        browser.open(server.page(pending))
        sign_in(browser)
        browser.wait_for("Allow access?")
        token = browser.attribute("form[action='/auth/consent'] input[name=csrf]", "value")
        # Even with the token, as if it had leaked.
        form = (
            f"<form method=post action='SERVER/auth/consent'><input name=request value='{pending.id}'>"
            f"<input name=csrf value='{token}'><button name=decision value=allow>Win a prize</button></form>"
        )
        with running(hostile(server, form)) as site:
            browser.open(site.replace("127.0.0.1", elsewhere))
            browser.press("Win a prize")
            browser.wait_for("That did not come from here")
            assert server.approvals.allowed == []


def test_a_hostile_name_runs_nothing_and_loads_nothing(browser: Chromium) -> None:
    name = (
        "\"><img src='http://127.0.0.1:9/x' onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
    )
    with house() as server:
        about = {"client_name": name, "client_uri": f"https://x/{name}", "scopes": (name,), "resource": name}
        browser.open(server.page(server.approvals.ask(**about)))
        sign_in(browser)
        browser.wait_for("Allow access?")
        assert "owned" not in browser.title
        assert browser.driver.find_elements(By.CSS_SELECTOR, "img, script") == []
        assert [line for line in browser.console() if "Content Security Policy" in line] == []


def test_the_policy_of_the_page_stops_a_script_that_got_in_all_the_same(browser: Chromium) -> None:
    with house() as server:
        browser.open(server.page(server.approvals.ask()))
        browser.wait_for("Sign in")
        text = "document.title = 'owned'"
        inject = "const s = document.createElement('script'); s.textContent = arguments[0]; document.body.append(s)"
        browser.run(inject, text)
        assert browser.title != "owned"
        assert any("Content Security Policy" in line for line in browser.console())


def test_the_sheet_is_in_force(browser: Chromium) -> None:
    with house() as server:
        browser.looks(width=1280)
        browser.open(server.page(server.approvals.ask()))
        browser.wait_for("Sign in")
        assert browser.style("main", "max-width") == "432px"
        assert browser.attribute("html", "lang") == "en"


@pytest.mark.parametrize("dark", [False, True])
def test_nothing_is_cut_off_on_a_small_phone(browser: Chromium, dark: bool) -> None:
    with house() as server:
        browser.looks(dark=dark, width=320, height=568, phone=True)
        name = "Averylongnamewithoutanyspacesinitwhichmustbebrokensomewhereorother"
        about = {"client_name": name, "redirect_uri": f"https://{name}.example.com/{name}", "scopes": (name,)}
        browser.open(server.page(server.approvals.ask(**about)))
        sign_in(browser)
        browser.wait_for("Allow access?")
        wide = browser.run("return document.documentElement.scrollWidth")
        assert wide <= 320
        browser.looks()
