"""The documentation's pictures: each is used, described, small, and taken by `python -m tests.pictures`, or `tests.pictures.hosts`."""

from __future__ import annotations

import re

import pytest

from tests.site.source_rules import REPOSITORY
from tests.site.test_docs import PAGES

IMAGES = REPOSITORY / "docs" / "images"
MEGABYTE = 1_000_000
USED = re.compile(r"images/([\w-]+\.\w+)")
DESCRIBED = (
    re.compile(r"!\[[^\]]{20,}\]\((?:\.\./|docs/)?images/([\w-]+\.\w+)\)"),
    re.compile(r"```\{image\} (?:\.\./)?images/([\w-]+\.\w+)\n:alt: .{20,}\n"),
    re.compile(r'<img src="docs/images/([\w-]+\.\w+)" alt="[^"]{20,}">'),
    re.compile(r'<source media="[^"]+" srcset="docs/images/([\w-]+\.\w+)">'),
)


def test_all_together_are_small():
    assert sum(path.stat().st_size for path in IMAGES.iterdir()) < 1.5 * MEGABYTE


def test_each_is_used_somewhere():
    used = {name for page in PAGES for name in USED.findall(page.read_text(encoding="utf-8"))}
    assert used == {path.name for path in IMAGES.iterdir()}


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_each_is_described_in_words(page):
    text = page.read_text(encoding="utf-8")
    described = sorted(name for pattern in DESCRIBED for name in pattern.findall(text))
    assert described == sorted(USED.findall(text))


def test_each_is_taken_by_a_script():
    scripts = [path.read_text(encoding="utf-8") for path in (REPOSITORY / "tests" / "pictures").glob("*.py")]
    taken = {name for script in scripts for name in re.findall(r'Picture\(name="([\w-]+)"', script)}
    assert {path.stem.rpartition("-")[0] for path in IMAGES.iterdir()} == taken
