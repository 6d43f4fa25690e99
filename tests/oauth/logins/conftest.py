"""One server and one browser for all clients."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from tests.oauth.login.login_chromium import Chromium, chromium
from tests.oauth.logins.hall import Hall, hall


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Generator[Hall]:
    with hall(tmp_path_factory.mktemp("hall"), "anna", "tina", "bert", "iris") as found:
        yield found


@pytest.fixture(scope="session")
def one_browser() -> Generator[Chromium]:
    with chromium() as found:
        yield found


@pytest.fixture
def browser(one_browser: Chromium) -> Chromium:
    """A browser that nobody has signed in with."""
    one_browser.open("about:blank")
    one_browser.forget()
    return one_browser
