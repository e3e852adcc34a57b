"""Take the pictures of the hosts anew, into docs/images: `python -m tests.pictures.hosts [admin wagtail djangocms unfold]`.

Each host is the foreign project that the package's tests look around in, installed from the package index into an environment of its
own, with the shop's rows at the shop's moment.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.chromium import running_chromium
from tests.package.environments import REPOSITORY, build_wheel, install_host, make_environment
from tests.package.projects import lay_out
from tests.pictures.__main__ import Picture, shoot

QUALITY = 35
SIZE = (1280, 460)
PATIENCE = 60_000


def pictures() -> list[Picture]:
    """Return all of them; a picture's user is its host here."""
    return [
        Picture(name="host-admin", path="/admin/schedulerui/schedule/", user="admin", size=SIZE),
        Picture(name="host-wagtail", path="/cms/", user="wagtail", size=SIZE),
        Picture(name="host-djangocms", path="/?toolbar_on", act=_open_sideframe, user="djangocms", size=SIZE),
        Picture(name="host-unfold", path="/admin/", user="unfold", size=SIZE),
    ]


def _open_sideframe(page: Page) -> None:
    page.get_by_text("Schedules: 1 failing").click()
    page.frame_locator(".cms-sideframe-frame iframe").get_by_text("Nightly invoices").first.wait_for()
    page.evaluate("document.activeElement.blur()")


def main(names: list[str]) -> None:
    """Take the pictures of the named hosts, or of all."""
    wanted = [picture for picture in pictures() if not names or picture.user in names]
    with (
        tempfile.TemporaryDirectory() as folder,
        sync_playwright() as playwright,
        running_chromium(playwright) as browser,
    ):
        wheel = build_wheel(Path(folder))
        for picture in wanted:
            with _served(picture.user, wheel, Path(folder) / picture.user) as told:
                _take(browser, picture, **told)


@contextmanager
def _served(host: str, wheel: Path, folder: Path) -> Iterator[dict[str, str]]:
    """Serve a host on a free port; yield its address, the session of somebody who may do everything, and the moment that it has."""
    project = folder / "project"
    lay_out(host, project)
    (project / "shop.py").write_text((REPOSITORY / "tests" / "pictures" / "shop.py").read_text())
    python = make_environment(folder / "environment", wheel)
    if (REPOSITORY / "requirements" / "hosts" / f"{host}.txt").exists():
        install_host(python, host)
    with subprocess.Popen(
        [python, "serve.py"], cwd=project, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        told = json.loads(server.stdout.readline())
        try:
            yield told
        finally:
            server.stdin.close()


def _take(browser: Browser, picture: Picture, *, address: str, session: str, now: str) -> None:
    context = browser.new_context(
        viewport={"width": picture.size[0], "height": picture.size[1]},
        color_scheme="light",
        reduced_motion="reduce",
        locale="en-GB",
        timezone_id="Europe/Berlin",
    )
    context.set_default_timeout(PATIENCE)
    context.clock.install(time=now)  # not fixed: animations of the hosts have to end
    context.add_cookies([{"name": "sessionid", "value": session, "url": address}])
    shoot(context, picture, theme="light", address=address, quality=QUALITY, drawn_within=500)


if __name__ == "__main__":
    main(sys.argv[1:])
