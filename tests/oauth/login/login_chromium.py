"""A real Chromium without a screen. It is found, or the test skips and says so."""

from __future__ import annotations

import base64
import os
import shutil
import tempfile
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import pytest
from selenium.common.exceptions import (
    ElementClickInterceptedException,
    NoSuchElementException,
    StaleElementReferenceException,
    TimeoutException,
)
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

PATIENCE = 60
_PASSING = (StaleElementReferenceException, NoSuchElementException, ElementClickInterceptedException)
"""What is so only while a page is being built."""
_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--ignore-certificate-errors",
    "--host-resolver-rules=MAP client.test 127.0.0.1",
)


class Chromium:
    """A browser that is driven by what a person sees."""

    def __init__(self, driver: Chrome) -> None:
        self.driver = driver

    def open(self, url: str) -> None:
        self.driver.get(url)

    @property
    def title(self) -> str:
        return self.driver.title

    @property
    def text(self) -> str:
        return self.driver.find_element(By.TAG_NAME, "body").text

    @property
    def url(self) -> str:
        return self.driver.current_url

    def find(self, css: str) -> WebElement:
        return self.driver.find_element(By.CSS_SELECTOR, css)

    def type(self, label: str, text: str) -> None:
        """Into the field with this label, found as a screen reader finds it."""

        def typed(driver: Chrome) -> bool:
            field = driver.find_element(By.XPATH, f"//input[@id=//label[normalize-space()='{label}']/@for]")
            field.clear()
            field.send_keys(text)
            return True

        self._settled(typed)

    def press(self, text: str) -> None:
        """The button, link or label with this text."""

        def pressed(driver: Chrome) -> bool:
            driver.find_element(
                By.XPATH, f"//*[self::button or self::a or self::label][normalize-space()='{text}']"
            ).click()
            return True

        self._settled(pressed)

    def _settled(self, act: Callable[[Chrome], bool]) -> None:
        """Do something with a page, once more if it was only about to be there."""
        WebDriverWait(self.driver, PATIENCE, ignored_exceptions=_PASSING).until(act)

    def wait_for(self, title: str) -> None:
        try:
            WebDriverWait(self.driver, PATIENCE).until(lambda driver: title in driver.title)
        except TimeoutException:
            pytest.fail(f"{title!r} did not come, but {self.title!r}: {self.text}")

    def wait_until(self, true: Callable[[], bool]) -> None:
        try:
            WebDriverWait(self.driver, PATIENCE, ignored_exceptions=_PASSING).until(lambda _: true())
        except TimeoutException:
            pytest.fail(f"That did not come, but {self.title!r} at {self.url}: {self.text}")

    def forget(self) -> None:
        self.driver.execute_cdp_cmd("Network.clearBrowserCookies", {})  # pyright: ignore[reportUnknownMemberType]

    def hang_up(self) -> None:
        """Close the connections that it keeps open for whatever comes next."""
        self.open("chrome://net-internals/#sockets")
        self.find("#sockets-view-flush-button").click()

    def looks(self, *, dark: bool = False, width: int = 1280, height: int = 800, phone: bool = False) -> None:
        """How wide its window is, and which colours its user prefers."""
        size = {"width": width, "height": height, "deviceScaleFactor": 2 if phone else 1, "mobile": phone}
        self._tell("Emulation.setDeviceMetricsOverride", size)
        scheme = {"features": [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]}
        self._tell("Emulation.setEmulatedMedia", scheme)

    def attribute(self, css: str, name: str) -> str | None:
        return self.find(css).get_attribute(name)  # pyright: ignore[reportUnknownMemberType]

    def style(self, css: str, name: str) -> str:
        return self.find(css).value_of_css_property(name)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]

    def cookies(self) -> set[str]:
        """The names of those that it has for this page."""
        return {each["name"] for each in self.driver.get_cookies()}  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]

    def run(self, script: str, *arguments: object) -> Any:
        return self.driver.execute_script(script, *arguments)  # pyright: ignore[reportUnknownMemberType]

    def picture(self) -> bytes:
        """What it shows, compressed."""
        asked = {"format": "webp", "quality": 80}
        found: dict[str, str] = self.driver.execute_cdp_cmd("Page.captureScreenshot", asked)  # pyright: ignore[reportUnknownMemberType]
        return base64.b64decode(found["data"])

    def console(self) -> list[str]:
        """What it complains about, such as what the policy of a page forbids."""
        entries: list[dict[str, Any]] = self.driver.get_log("browser")  # pyright: ignore[reportUnknownMemberType]
        return [entry["message"] for entry in entries]

    def _tell(self, command: str, arguments: dict[str, Any]) -> None:
        self.driver.execute_cdp_cmd(command, arguments)  # pyright: ignore[reportUnknownMemberType]


@contextmanager
def chromium() -> Generator[Chromium]:
    """A browser with a profile of its own."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if program is None or driver is None:
        if os.environ.get("MCP_REQUIRE_SERVICES"):
            pytest.fail("There is no Chromium with its driver: apt-get install chromium chromium-driver")
        pytest.skip("there is no Chromium with its driver: apt-get install chromium chromium-driver")
    options = ChromeOptions()
    options.binary_location = program
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        for flag in (*_FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        found = Chrome(options, Service(driver))
        try:
            found.set_page_load_timeout(PATIENCE)
            yield Chromium(found)
        finally:
            found.quit()
