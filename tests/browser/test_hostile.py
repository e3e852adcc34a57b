"""300 texts that nobody means well in every place of every page, in a real browser: nothing runs, nothing leaves its cell, no 500."""

from __future__ import annotations

import csv
import io
from urllib.parse import quote

import pytest
from django.contrib.auth.models import User

from schedulerui.models import Run, Schedule, Worker
from schedulerui.web.exports import as_csv
from tests.browser.chromium import sayings_of
from tests.browser.test_pages import visit
from tests.hostile import FORMULAS, TEXTS, packs, storable
from tests.hostile_rows import fill

__all__ = ["visit"]
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.timeout(180)]

LOOK = """() => {
  const wrong = [];
  if (window.pwned !== undefined) wrong.push("a script ran");
  const root = document.documentElement, scripts = [...document.scripts].filter(s => !s.src || s.text.trim());
  if (scripts.length) wrong.push("a script of the text: " + scripts[0].outerHTML.slice(0, 80));
  if (root.scrollWidth > window.innerWidth) wrong.push(`the page is ${root.scrollWidth} wide: ` + [...document.querySelectorAll('body *')].filter(e => e.checkVisibility() && e.getBoundingClientRect().right > window.innerWidth + 1).slice(-3).map(e => e.outerHTML.slice(0, 90)));
  if (!document.querySelector("main.main h1")) wrong.push("no heading");
  for (const element of document.querySelectorAll("iframe, object, embed, base, marquee, math, video, plaintext, xmp, style, main ~ meta, main link"))
    wrong.push("markup: " + element.outerHTML.slice(0, 80));
  const scrolls = e => { for (let p = e; p && p !== root; p = p.parentElement) if (getComputedStyle(p).overflowX !== "visible") return true; return false; };
  for (const element of document.querySelectorAll("body *")) {
    for (const {name, value} of element.attributes) {
      if (/^on|pwned|^hx-on|^style$/i.test(name)) wrong.push(`attribute ${name}`);
      if (/^(href|src|action|formaction|hx-(get|post)|data-hx-.*|data)$/.test(name) && /^\\s*(javascript|data|vbscript|file|\\/\\/|https?:\\/\\/(?!localhost|127))/i.test(value) && !value.includes("docs"))
        wrong.push(`${name}=${value.slice(0, 60)}`);
    }
    const box = element.checkVisibility() ? element.getBoundingClientRect() : {};
    if (box.width && box.height && (box.right > window.innerWidth + 1 || box.left < -1) && !scrolls(element.parentElement) && getComputedStyle(element).position !== "absolute")
      wrong.push(`outside: <${element.tagName} class=${element.className}> ${box.left | 0}..${box.right | 0}`);
  }
  for (const cell of document.querySelectorAll("td, th, dd, dt, li")) {
    if (cell.scrollWidth > cell.clientWidth + 12 && cell.checkVisibility() && cell.clientWidth && getComputedStyle(cell).overflowX === "visible" && getComputedStyle(cell).display !== "inline")
      wrong.push(`leaves its cell: <${cell.tagName} class=${cell.className}> ${cell.scrollWidth} in ${cell.clientWidth}: ${cell.textContent.trim().slice(0, 60)}`);
  }
  return wrong.slice(0, 4);
}"""


class Looker:
    """Goes to pages and keeps what was wrong with each."""

    def __init__(self, page, go) -> None:
        self.page, self.go = page, go
        self.wrong: list[str] = []
        self.n_pages = 0
        page.on("dialog", self._on_dialog)
        page.on("request", self._on_request)

    def _on_dialog(self, dialog) -> None:
        self.wrong.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _on_request(self, request) -> None:
        if "pwned.test" in request.url.partition("?")[0]:
            self.wrong.append(f"request: {request.url[:120]}")

    def look(self, path: str, *, status: int = 200) -> None:
        self.n_pages += 1
        try:
            response = self.go(path)
        except Exception as error:  # noqa: BLE001 - whatever a page does to the browser is its fault
            self.wrong.append(f"{path[:80]}: {error}")
            return
        if response.status != status:
            self.wrong.append(f"{path[:120]}: {response.status}")
        self.wrong += [f"{path[:80]}: {line}" for line in self.page.evaluate(LOOK)]

    def check(self) -> None:
        assert not self.wrong, "\n".join(dict.fromkeys(self.wrong))
        # A date field left empty because its value is no date: the browser says so, and nothing else happened.
        said = [line for line in sayings_of(self.page).console if "The specified value" not in line]
        assert said == []


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


def test_no_text_leaves_its_cell_in_a_page_of_its_own(looker):
    fill(packs(storable()), owner=User.objects.get(username="ana"))
    looker.page.set_viewport_size({"width": 390, "height": 900})
    schedule_pages = ("edit/", "run/", "run/custom/", "pause/", "delete/")
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
