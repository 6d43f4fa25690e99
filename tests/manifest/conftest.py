"""The `requirement` mark, and the one `connect` fixture: every test runs wherever what it proves holds."""

from __future__ import annotations

from collections.abc import Generator

import pytest
from nursery import Nursery
from requirements import Cell, cells_of
from wire import Connect


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "requirement(*ids): the requirements of the manifest that a test proves")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "connect" in metafunc.fixturenames:
        proved = [key for mark in metafunc.definition.iter_markers("requirement") for key in mark.args]
        cells = cells_of(proved)
        metafunc.parametrize("connect", cells, indirect=True, ids=["-".join(cell) for cell in cells])


@pytest.fixture(scope="session")
def nursery() -> Generator[Nursery]:
    with Nursery() as nursery:
        yield nursery


@pytest.fixture
def connect(request: pytest.FixtureRequest, nursery: Nursery) -> Connect:
    cell: Cell = request.param
    return Connect(*cell, nursery)
