"""Who is told that beat does not tick is told what to do, with the commands of this project."""

from __future__ import annotations

from datetime import timedelta

import pytest

from schedulerui import clock
from schedulerui.models import Beat
from tests.web.people import logged_in, text_of

pytestmark = pytest.mark.django_db


def a_beat(*, seconds_ago, degraded=""):
    at = clock.now() - timedelta(seconds=seconds_ago)
    Beat.objects.create(host="app-1", pid=1, started_at=at, seen_at=at, degraded=degraded)


@pytest.mark.parametrize(
    ("seconds_ago", "degraded", "helps"), [(1, "", False), (1, "broker: gone", True), (600, "", True)]
)
def test_the_card_leads_to_help_when_it_is_amber_or_red(seconds_ago, degraded, helps):
    a_beat(seconds_ago=seconds_ago, degraded=degraded)
    reader = logged_in("view")
    for address in ("/runs/", "/schedules/", "/live/health/"):
        text = text_of(reader.get(address, headers={"HX-Request": "true"} if "live" in address else {}))
        assert ('href="/about/#beat-help"' in text) == (helps and bool(text)), address


def test_the_help_has_the_commands_with_the_name_of_the_celery_app(settings):
    settings.SCHEDULERUI = {**settings.SCHEDULERUI, "CELERY_APP": "shop.celery.app"}
    text = text_of(logged_in("view").get("/about/")).partition('id="beat-help"')[2]
    assert "<code>celery -A shop.celery.app beat -S schedulerui</code>" in text
    assert "<code>python manage.py schedulerui status</code>" in text
    assert "<code>python manage.py schedulerui check</code>" in text


def test_every_page_has_a_place_for_the_viewers_clock():
    assert text_of(logged_in("view").get("/about/")).count("data-clock") == 1
