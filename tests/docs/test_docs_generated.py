"""What repeats another file says the same."""

from __future__ import annotations

import re
import tomllib

import pytest
from generate import ROOT, pages, requirements, settings_page, with_examples


def test_the_requirements_are_those_of_the_project() -> None:
    assert (ROOT / "requirements.txt").read_text(encoding="utf-8") == requirements()


def test_the_requirements_hold_every_dependency_and_nothing_of_ours() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = {line for line in requirements().splitlines() if not line.startswith("#")}
    assert set(project["dependencies"]) < lines
    assert [line for line in lines if not re.match(r"[a-z]", line) or line.startswith(project["name"])] == []


def test_the_page_of_settings_is_the_generated_one() -> None:
    assert (ROOT / "docs/settings.md").read_text(encoding="utf-8") == settings_page()


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_shows_the_files_that_it_names(page: object) -> None:
    text = ROOT.joinpath(str(page)).read_text(encoding="utf-8")
    assert with_examples(text) == text
