"""300 texts that nobody means well in every place of every page, in a real browser: nothing runs, nothing leaves its cell, no 500."""

from __future__ import annotations

import csv
import io
from urllib.parse import quote

import pytest
from django.contrib.auth.models import User

from schedulerui.models import Run, Schedule, Worker
from schedulerui.web.exports import as_csv
from tests.browser.looking import Looker
from tests.browser.test_pages import visit
from tests.hostile import FORMULAS, TEXTS, packs, storable
from tests.hostile_rows import fill

__all__ = ["visit"]
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.timeout(600)]


@pytest.fixture
def looker(page, visit):
    return Looker(page, visit(page))


def older(page) -> str:
    link = page.locator("a[rel=next]")
    return link.first.get_attribute("href") if link.count() else ""


def through(looker, path: str) -> int:
    """Look at a list to its end; return how many pages it had."""
    looker.look(path)
    n_pages = 1
    while following := older(looker.page):
        looker.look(f"{path}{following}")
        n_pages += 1
        assert n_pages < 12, following
    return n_pages


def test_the_corpus_is_large():
    assert len(TEXTS) >= 200


def test_no_text_leaves_its_cell_in_a_list(looker):
    fill(storable(), owner=User.objects.get(username="ana"))
    for width in (390, 1280):
        looker.page.set_viewport_size({"width": width, "height": 900})
        for path in ("/", "/workers/", "/alerts/", "/about/", "/timeline/", "/timeline/?span=7d"):
            looker.look(path)
        for path in ("/schedules/", "/runs/", "/audit/"):
            if width == 390:
                assert through(looker, path) >= len(storable()) // 50, path
            else:
                looker.look(path)
    looker.check()


@pytest.mark.long
def test_no_text_leaves_its_cell_in_a_page_of_its_own(looker):
    fill(packs(storable()), owner=User.objects.get(username="ana"))
    looker.page.set_viewport_size({"width": 390, "height": 900})
    schedule_pages = ("edit/", "run/", "run/custom/", "pause/", "delete/", "upcoming/", "changes/", "code/")
    for i, (pk, name) in enumerate(Schedule.objects.order_by("pk").values_list("pk", "name")):
        looker.look(f"/schedules/{pk}/")
        shown = looker.page.locator("h1").first.text_content()
        if "".join(shown.split()) != "".join(name.replace("\x00", "").split()):  # HTML drops NUL
            looker.wrong.append(f"/schedules/{pk}/: headed {shown!r} and not {name!r}")
        looker.look(f"/schedules/{pk}/{schedule_pages[i % len(schedule_pages)]}")
    for i, uuid in enumerate(Run.objects.order_by("pk").values_list("uuid", flat=True)):
        looker.look(f"/runs/{uuid}/")
        if i % 3 == 0:
            looker.look(f"/runs/{uuid}/again/")
    for instance in Worker.objects.values_list("instance", flat=True)[:20]:
        looker.look(f"/workers/{instance}/")
    looker.check()


def test_no_text_in_an_address_runs(looker):
    fill(storable()[:3], owner=User.objects.get(username="ana"))
    looker.page.set_viewport_size({"width": 390, "height": 900})
    for i, pack in enumerate(packs(TEXTS, size=400)):
        text = quote(pack)
        looker.look((
            f"/schedules/?q={text}", f"/runs/?q={text}", f"/schedules/?sort={text}&task={text}&state={text}", f"/audit/?action={text}&q={text}",
            f"/timeline/?q={text}&day={text}", f"/schedules/new/?copy={text}", f"/runs/?older={text}",
        )[i % 7])  # fmt: skip
    looker.check()


def test_no_cell_of_an_export_is_a_formula(db):
    fill(storable(), owner=User.objects.create(username="ana"))
    lines = list(csv.reader(io.StringIO(as_csv(Schedule.objects.select_related("state")), newline="")))
    cells = [cell for line in lines for cell in line]
    assert len(lines) == len(storable()) + 1
    assert [cell for cell in cells if cell.startswith(tuple("=+-@\t\r\n\uff1d"))] == []
    assert any(cell == f"'{FORMULAS[0]} {storable().index(FORMULAS[0])}" for cell in cells)
