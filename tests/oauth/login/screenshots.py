"""Takes the pictures of the pages that are in the documentation: `python tests/oauth/login/screenshots.py`."""

from __future__ import annotations

from pathlib import Path

from login_chromium import Chromium, chromium
from login_house import PASSWORD, House, house

PICTURES = Path(__file__).parents[3] / "docs" / "img"
WORDS = {"items:read": "Search the catalogue and read its items", "items:write": "Add and change items"}
PHONE, DESKTOP = (390, 800), (720, 800)
LOCAL = {
    "known_by": "registration",
    "client_id": "k3j9",
    "client_name": "Desktop Helper",
    "client_uri": None,
    "redirect_uri": "http://localhost:33418/callback",
    "scopes": ("items:read",),
}


def main() -> None:
    """Each page on a desktop and a phone, light and dark, side by side."""
    with (
        house(server_name="Catalogue", remember_consent=30 * 86_400, scope_words=WORDS) as server,
        chromium() as browser,
    ):
        for name, show in (("sign-in", _sign_in), ("consent", _consent), ("consent-local", _local), ("error", _error)):
            shots: list[str] = []
            for width, height in (DESKTOP, PHONE):
                for dark in (False, True):
                    browser.looks(dark=dark, width=width, height=height, phone=(width, height) == PHONE)
                    browser.forget()
                    show(browser, server)
                    shots.append(browser.driver.get_screenshot_as_base64())
            _side_by_side(browser, shots, PICTURES / f"login-{name}.webp")


def _sign_in(browser: Chromium, server: House) -> None:
    browser.open(server.page(server.approvals.ask()))
    browser.wait_for("Sign in")


def _consent(browser: Chromium, server: House, **about: object) -> None:
    browser.open(server.page(server.approvals.ask(**about)))
    browser.wait_for("Sign in")
    browser.type("User name", "anna")
    browser.type("Password", PASSWORD)
    browser.press("Sign in")
    browser.wait_for("Allow access?")


def _local(browser: Chromium, server: House) -> None:
    _consent(browser, server, **LOCAL)


def _error(browser: Chromium, server: House) -> None:
    browser.open(f"{server.url}/auth/consent?request=over")
    browser.wait_for("This request is over")


def _side_by_side(browser: Chromium, shots: list[str], file: Path) -> None:
    pictures = "".join(f"<img src='data:image/png;base64,{shot}' height={DESKTOP[1]}>" for shot in shots)
    width = 2 * (DESKTOP[0] + PHONE[0]) + 3 * 8
    browser.looks(width=width, height=DESKTOP[1])
    browser.open("about:blank")
    sheet = f"<body style='margin:0;display:flex;gap:8px;background:#888'>{pictures}</body>"
    browser.run("document.documentElement.innerHTML = arguments[0]", sheet)
    browser.run("return Promise.all(Array.from(document.images, image => image.decode()))")
    file.write_bytes(browser.picture())


if __name__ == "__main__":
    main()
