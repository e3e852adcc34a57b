"""Take the documentation's pictures anew, into docs/images: `python -m tests.pictures [name ...]`.

Needs Chromium, as the tests do; nothing else is started. Every picture is of the bundled site with the data of
`tests.pictures.shop` at its moment, so that two runs differ only where the product does. `changes` and `restore` show what
`conflict` saves: take the three together.
"""

from __future__ import annotations

import base64
import os
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock
from wsgiref.handlers import format_date_time

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.browser.chromium import running_chromium

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
QUALITY = 78
WIDE, NARROW = (1280, 800), (390, 844)
Act = Callable[[Page], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One picture: whose eyes, where, what is done there first, in which themes and how large."""

    name: str
    path: str
    act: Act | None = None
    themes: tuple[str, ...] = ("light",)
    size: tuple[int, int] = WIDE
    user: str = "ana"


def pictures() -> list[Picture]:
    """Return all of them; asks the database for addresses."""
    from schedulerui.models import Run, Schedule
    from tests.pictures import shop

    pk = dict(Schedule.objects.values_list("name", "pk"))
    failed = Run.objects.filter(schedule=pk[shop.INVOICES]).order_by("-due_at")[0].uuid
    running = Run.objects.filter(state="started")[0].uuid
    both = ("light", "dark")
    invoices, prices = f"/schedules/{pk[shop.INVOICES]}/", f"/schedules/{pk[shop.PRICES]}/"
    return [
        Picture(name="overview", path="/", themes=both, size=(1280, 860)),
        Picture(name="schedules", path="/schedules/", themes=both),
        Picture(name="schedules-narrow", path="/schedules/", themes=both, size=NARROW),
        Picture(name="failing", path="/schedules/?q=state:failing&sort=failing", size=(1280, 580)),
        Picture(name="failing-schedule", path=invoices, size=(1280, 760)),
        Picture(name="failed-run", path=f"/runs/{failed}/", size=(1280, 1080)),
        Picture(name="run", path=f"/runs/{running}/", themes=("dark",), size=(1280, 620)),
        Picture(name="runs", path="/runs/", themes=both),
        Picture(name="timeline", path="/timeline/", themes=both, size=(1280, 760)),
        Picture(name="month", path="/timeline/?span=month", size=(1280, 720)),
        Picture(name="workers", path="/workers/", themes=both, size=(1280, 620)),
        Picture(name="bulk-pause", path="/schedules/?q=tag:billing", act=_choose_pause, size=(1280, 560)),
        Picture(name="pause", path=invoices, act=_open_pause, size=(1280, 620)),
        Picture(name="paused", path=f"/schedules/{pk['Rebuild search index']}/", size=(1280, 520)),
        Picture(name="form", path=f"{invoices}edit/", act=_type_another_rule, themes=both, size=(1280, 1080)),
        Picture(name="form-clock-change", path=f"{invoices}edit/", act=_show_the_preview, size=(1280, 1080)),
        Picture(name="conflict", path=f"{prices}edit/", act=_be_too_slow, size=(1280, 520)),
        Picture(name="changes", path=f"{prices}changes/", size=(1280, 520)),
        Picture(name="restore", path=f"{prices}changes/", act=_restore, size=(1280, 520)),
        Picture(name="viewer", path="/schedules/", user="vera", size=(1280, 480)),
        Picture(name="refused", path=f"{invoices}edit/", user="vera", size=(1280, 480)),
    ]


def _choose_pause(page: Page) -> None:
    page.locator("#pick-all").check()
    page.locator("select[name=action]").select_option("pause")


def _open_pause(page: Page) -> None:
    page.get_by_role("link", name="Pause").first.click()
    page.locator("dialog").wait_for()
    page.locator("dialog select").select_option("1h")
    page.locator("dialog [name=reason]").fill("release 12 of billing")


def _type_another_rule(page: Page) -> None:
    page.locator("#id_expression").fill("30 2 * * mon-fri")
    page.get_by_text("Monday to Friday").first.wait_for()
    _show_the_preview(page)


def _show_the_preview(page: Page) -> None:
    page.locator("#when-title").evaluate("e => scrollTo(0, e.getBoundingClientRect().top - 24)")


def _be_too_slow(page: Page) -> None:
    """Let somebody else save first."""
    other = page.context.new_page()
    other.goto(page.url)
    for each, text in ((other, "0 */4 * * *"), (page, "20 */2 * * mon-sat")):
        each.locator("#id_expression").fill(text)
        each.get_by_role("button", name="Save schedule").click()
        each.wait_for_load_state()
    other.close()
    page.locator("#conflict-title").wait_for()
    page.evaluate("document.activeElement.blur()")


def _restore(page: Page) -> None:
    page.get_by_role("link", name="Restore").last.click()
    page.wait_for_load_state()


def main(names: list[str]) -> None:
    """Take the named pictures, or all."""
    with tempfile.TemporaryDirectory() as home:
        os.environ |= {
            "DJANGO_SETTINGS_MODULE": "schedulerui.site.settings", "SCHEDULERUI_HOME": home, "SCHEDULERUI_DEBUG": "1",
            "DATABASE_URL": "", "CELERY_BROKER_URL": "memory://", "DJANGO_ALLOW_ASYNC_UNSAFE": "1", "SCHEDULERUI_LOG_LEVEL": "WARNING",
        }  # fmt: skip
        import django

        django.setup()
        from django.core.management import call_command

        from schedulerui import clock
        from tests.pictures import shop

        call_command("migrate", verbosity=0)
        shop.fill()
        with (
            mock.patch.object(clock, "now", return_value=shop.NOW),
            _served() as address,
            sync_playwright() as playwright,
            running_chromium(playwright) as browser,
        ):
            for picture in pictures():
                if not names or picture.name in names:
                    for theme in picture.themes:
                        _take(browser, picture, theme=theme, address=address)


@contextmanager
def _served() -> Iterator[str]:
    """Serve the site on a free port, with the shop's moment as the date of every answer; yield its address."""
    from django.contrib.staticfiles.handlers import StaticFilesHandler
    from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
    from django.core.wsgi import get_wsgi_application

    from tests.pictures import shop

    site = StaticFilesHandler(get_wsgi_application())

    class Quiet(WSGIRequestHandler):
        def log_message(self, *_arguments: object) -> None:
            """Say nothing: the pictures are what counts."""

    def dated(environ: Any, start_response: Any) -> Any:
        date = ("Date", format_date_time(shop.NOW.timestamp()))
        return site(environ, lambda status, headers, *rest: start_response(status, [*headers, date], *rest))

    server = ThreadedWSGIServer(("127.0.0.1", 0), Quiet)
    server.set_app(dated)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def _take(browser: Browser, picture: Picture, *, theme: str, address: str) -> None:
    context = _logged_in(browser, picture, theme=theme, address=address)
    shoot(context, picture, theme=theme, address=address, quality=QUALITY, drawn_within=300)


def shoot(
    context: BrowserContext, picture: Picture, *, theme: str, address: str, quality: int, drawn_within: int
) -> None:
    """Take a picture and close its context; ``drawn_within``: milliseconds for fonts and the last swap."""
    page = context.new_page()
    page.goto(f"{address}{picture.path}")
    page.wait_for_load_state("networkidle")
    if picture.act is not None:
        picture.act(page)
    page.wait_for_timeout(drawn_within)  # there is no event for "drawn"
    target = IMAGES / f"{picture.name}-{theme}.webp"
    shot = context.new_cdp_session(page).send(
        "Page.captureScreenshot", {"format": "webp", "quality": quality, "optimizeForSpeed": False}
    )
    target.write_bytes(base64.b64decode(shot["data"]))
    print(f"{target.name}: {target.stat().st_size / 1024:.0f} KB", flush=True)
    context.close()


def _logged_in(browser: Browser, picture: Picture, *, theme: str, address: str) -> BrowserContext:
    from django.conf import settings
    from django.contrib.auth.models import User
    from django.test import Client

    from tests.pictures import shop

    client = Client()
    client.force_login(
        User.objects.get(username=picture.user), backend="django.contrib.auth.backends.ModelBackend"
    )
    context = browser.new_context(
        viewport={"width": picture.size[0], "height": picture.size[1]},
        color_scheme="dark" if theme == "dark" else "light",
        reduced_motion="reduce",
        locale="en-GB",
        timezone_id="Europe/Berlin",
    )
    context.clock.set_fixed_time(shop.NOW)
    session = client.cookies[settings.SESSION_COOKIE_NAME].value
    context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": address}])
    return context


if __name__ == "__main__":
    main(sys.argv[1:])
