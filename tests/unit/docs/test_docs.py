"""The docs say what the code does: reference pages are made from it, names are looked up in it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dataflows.__main__ import commands
from runtime.settings import PREFIX, Settings
from tests.unit.docs.pages import DOCS, LIMITS_END, LIMITS_START, PAGES, limits_table

ROOT = DOCS.parent
WRITTEN = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])


@pytest.mark.parametrize("name", sorted(PAGES))
def test_a_reference_page_is_what_the_code_says(name: str) -> None:
    got = (DOCS / name).read_text(encoding="utf-8")
    assert got == PAGES[name](), "write it anew: .venv/bin/python -m tests.unit.docs.pages"


def variables() -> set[str]:
    names = set()
    for name, field in Settings.model_fields.items():
        section = getattr(field.annotation, "model_fields", None)
        path = PREFIX + name.rstrip("_").upper()
        names |= {f"{path}__{inner.upper()}" for inner in section} if section else {path}
    return names | {"CDC_CONFIG"}


@pytest.mark.parametrize("page", WRITTEN, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_variable_that_a_page_names_exists(page: Path) -> None:
    named = set(re.findall(r"\bCDC_[A-Z][A-Z_]*[A-Z]\b", page.read_text(encoding="utf-8")))
    assert named - variables() == set()


@pytest.mark.parametrize("page", WRITTEN, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_that_a_page_names_exists(page: Path) -> None:
    named = set(re.findall(r"(?:`|^    )cassmirror ([a-z-]+)", page.read_text(encoding="utf-8"), re.MULTILINE))
    assert named - set(commands()) == set()


@pytest.mark.parametrize("page", WRITTEN, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_to_a_file_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", WRITTEN, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_make_target_that_a_page_names_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = set(re.findall(r"`(?:[A-Z]+=\S+ )?make ([a-z-]+)", page.read_text(encoding="utf-8")))
    assert named - targets == set()


def test_the_page_of_limits_names_every_gap_of_the_recordings_and_no_other() -> None:
    page = (DOCS / "limits.md").read_text(encoding="utf-8")
    got = page.partition(LIMITS_START)[2].partition(LIMITS_END)[0]
    assert got == limits_table(), "write it anew: .venv/bin/python -m tests.unit.docs.pages"
    assert "`types_scalars`" in got
    assert "`statics`" in got
    assert "`counters`" in got


def test_the_lock_file_names_no_registry() -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert re.findall(r"https?://\S+|--(?:extra-)?index-url\S*|--find-links", lock) == []
    assert "--hash=sha256:" in lock
