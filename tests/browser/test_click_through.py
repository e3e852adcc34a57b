"""Every link and button that a person with all rights can reach, clicked once: nothing breaks, no policy is breached, nobody complains."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth.models import User

from schedulerui import clock
from schedulerui.models import Alert, Beat, Run, SavedView, Schedule, Worker
from schedulerui.operations import schedules
from schedulerui.presenters.frame import ZONE_COOKIE
from schedulerui.testing import recording
from tests.browser.chromium import sayings_of
from tests.browser.crawling import REFUSED, Crawler
from tests.browser.test_pages import rows, visit
from tests.web.people import ANA

__all__ = ["rows", "visit"]
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.timeout(600)]

GOES = re.compile("Undo|Dismiss|Switch the keys off|Copy of")


@pytest.mark.long
def test_every_link_and_button_can_be_clicked_and_nobody_complains(page, rows, visit, live_server, settings):
    settings.ROOT_URLCONF, settings.LOGOUT_REDIRECT_URL = "schedulerui.site.urls", "login"
    now = clock.now()
    Alert.objects.create(key="a", kind="schedule", schedule_id=rows["Failing"], state="failing", message="The last run failed.",
                         since=now)  # fmt: skip
    schedules.edit(rows["Fine"], {"queue": "night"}, version=1, actor=ANA, now=now)
    SavedView.objects.create(
        user=User.objects.get(username="ana"), page="schedules", name="Mine", query="q=x"
    )
    running = Run.objects.get(state="started")

    def restore():
        page.evaluate("sessionStorage.clear()")  # a tab that was told to stay still does so on all pages
        page.context.clear_cookies(name=ZONE_COOKIE)  # the menu that opens everything else says the zone
        Worker.objects.update(seen_at=clock.now())
        Beat.objects.update(seen_at=clock.now())
        Schedule.objects.exclude(pk=rows["Paused"]).exclude(error__gt="").update(enabled=True, resume_at=None)
        Run.objects.filter(pk=running.pk).update(state="started", cancel_requested_at=None)

    page.on("dialog", lambda dialog: dialog.accept())
    visit(page)
    crawler = Crawler(page, live_server.url, restore=restore)
    with recording():
        crawler.walk(
            *(
                live_server.url + path
                for path in ("/", f"/schedules/{rows['Fine']}/", f"/runs/{running.uuid}/", "/schedules/")
            )
        )
    assert not crawler.problems, "\n".join(crawler.problems)
    assert len(crawler.clicked) > 150
    # Notices go by themselves, and keys that are off cannot be switched off from a second place.
    gone = [str(one) for one in crawler.gone if not GOES.search(one.key)]
    assert not gone, "\n".join(gone)
    # Chromium reports a form that was refused by its status; nothing else may be said.
    said = sayings_of(page)
    assert [line for line in said.console if f"status of {REFUSED}" not in line] == []
    assert [line for line in said.complaints if f"status of {REFUSED}" not in line] == []
    said.complaints.clear()
