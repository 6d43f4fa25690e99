"""The manifest against the tests, both ways, and against the page that is made from it."""

from __future__ import annotations

import importlib
import inspect
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from document import PATH, document
from requirements import REQUIREMENTS, Cell, cells_of


def test_every_requirement_is_proved_wherever_it_holds() -> None:
    proved: dict[str, set[Cell]] = defaultdict(set)
    for _, ids in _proofs():
        for key in ids:
            proved[key] |= set(cells_of(ids))
    assert {key: each.cells - proved[key] for key, each in REQUIREMENTS.items() if each.cells - proved[key]} == {}


def test_every_requirement_is_named_by_a_test() -> None:
    assert set(REQUIREMENTS) - {key for _, ids in _proofs("test_*.py") for key in ids} == set()


def test_every_test_proves_requirements_that_exist_and_hold_somewhere() -> None:
    wrong = [name for name, ids in _proofs() if not ids or set(ids) - set(REQUIREMENTS) or not cells_of(ids)]
    assert wrong == []


@pytest.mark.parametrize("key", REQUIREMENTS)
def test_a_requirement_is_one_sentence_with_a_source(key: str) -> None:
    requirement = REQUIREMENTS[key]
    assert requirement.text.endswith(".")
    assert requirement.text.count(". ") == 0
    assert bool(requirement.spec) == (requirement.level != "OURS")


def test_the_page_says_what_the_manifest_says() -> None:
    assert PATH.read_text(encoding="utf-8") == document(), "run `python tests/manifest/document.py`"


def _proofs(files: str = "test_wire_*.py") -> Iterator[tuple[str, list[str]]]:
    """Every test that opens a session, with the requirements that it names."""
    for path in sorted(Path(__file__).parent.glob(files)):
        module = importlib.import_module(path.stem)
        for name, function in inspect.getmembers(module, inspect.isfunction):
            if name.startswith("test_"):
                marks = [mark for mark in getattr(function, "pytestmark", []) if mark.name == "requirement"]
                yield f"{path.stem}.{name}", [key for mark in marks for key in mark.args]
