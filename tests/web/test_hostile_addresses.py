"""Every address, asked by an owner with values that nobody means well: a sentence, an empty list, a 404, never a 500."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from django.urls import URLPattern, reverse

from schedulerui import urls
from schedulerui.access import PERMISSIONS
from schedulerui.models import Change
from schedulerui.web.filters import ScheduleFilter
from schedulerui.web.forms import RuleForm
from schedulerui.web.history_filters import ChangeFilter, RunFilter
from tests.web.people import a_run, a_schedule, a_worker, logged_in

HOSTILE = (
    "%00",
    "a%00b",
    "%ED%A0%80",  # half of a surrogate pair
    "%FF%FE",
    "9" * 30,
    "-1",
    "1e999",
    "NaN",
    "0001-01-01T00:00:00%2B23:59_1",
    "9999-12-31T23:59:59-23:59_1",
    "2026-02-30T25:61",
    "2026-03-04T12:00:00Z_99999999999999999999",
    "%5B",
    "http://%5B::1",
    "%F0%9D%9F%99",  # a digit that int() takes and no column does
    "'%22%3E%3Cscript%3E%25s%7B%7B1%7D%7D",
    "x" * 8_000,
)
"""As they stand in an address, percent-encoded."""
CURSORS = ("older", "newer")
SCHEDULES, RUNS = tuple(ScheduleFilter.base_filters), tuple(RunFilter.base_filters)
KNOWN: dict[str, tuple[str, ...]] = {
    "schedules": (*SCHEDULES, "page", "sort"),
    "live-schedules": (*SCHEDULES, "page", "sort", "have"),
    "schedule": CURSORS,
    "live-schedule": (*CURSORS, "have"),
    "schedule-new": ("copy",),
    "schedule-run": ("place",),
    "schedule-upcoming": ("month",),
    "runs": (*RUNS, *CURSORS),
    "live-runs": (*RUNS, *CURSORS, "since"),
    "run": ("since",),
    "workers": ("since",),
    "worker": ("since",),
    "live-health": ("since",),
    "live-overview": ("have", "since"),
    "audit": (*ChangeFilter.base_filters, *CURSORS),
}
"""What an address knows; ``nonsense`` is asked of all."""
OF_KIND = {
    "crontab": {"expression": "30 2 * * *"},
    "interval": {"every": "5", "period": "minutes"},
    "clocked": {"clocked_at_local": "2026-12-31T23:59"},
    "solar": {"solar_event": "sunrise", "latitude": "52.5", "longitude": "13.4"},
}
HEADERS = (
    "HX-Request", "HX-Current-URL", "HX-Target", "HX-Trigger", "HX-Boosted", "HX-Prompt", "Referer", "Origin",
)  # fmt: skip
IN_A_HEADER = (
    "http://[::1",
    "http://[",
    "//",
    "\ud800".encode("utf-8", "surrogatepass").decode("latin-1"),
    "%00",
    "x" * 8_000,
)


def patterns():
    found = [pattern for pattern in urls.urlpatterns if isinstance(pattern, URLPattern)]
    return [pattern for pattern in found if not str(pattern.pattern).startswith("flower/")]


NAMES = [str(pattern.name) for pattern in patterns()]


@pytest.fixture
def addresses(db):
    schedule = a_schedule()
    rows = {
        "pk": schedule.pk,
        "uuid": a_run(schedule).uuid,
        "instance": a_worker().instance,
        "key": "args",
        "change_id": Change.objects.get(schedule=schedule).pk,
    }
    return {
        str(pattern.name): reverse(
            f"schedulerui:{pattern.name}", kwargs={key: rows[key] for key in pattern.pattern.converters}
        )
        for pattern in patterns()
    }


TELL_HEALTH = ("/health.json", "/readyz")
"""Addresses that answer 503 while no beat ticks, which is their purpose."""


def ask(client, url, **headers):
    response = client.get(url, headers=headers)
    assert response.status_code < 500 or (response.status_code == 503 and url.startswith(TELL_HEALTH)), url[
        :200
    ]
    assert b"Traceback" not in response.content, url[:200]


@pytest.mark.parametrize("name", NAMES)
def test_no_value_of_a_query_brings_an_address_down(addresses, name):
    client = logged_in(*PERMISSIONS)
    for key in ("nonsense", *KNOWN.get(name, ())):
        for value in HOSTILE:
            ask(client, f"{addresses[name]}?{key}={value}")


@pytest.mark.parametrize("kind", OF_KIND)
def test_no_value_of_a_rule_brings_the_preview_down(addresses, kind):
    client = logged_in(*PERMISSIONS)
    rule = {"kind": kind, "tz": "Europe/Berlin", **OF_KIND[kind]}
    for key in RuleForm.base_fields:
        others = "&".join(f"{name}={value}" for name, value in rule.items() if name != key)
        for value in HOSTILE:
            ask(client, f"{addresses['preview']}?{others}&{key}={value}")


@pytest.mark.parametrize("who", ["nobody", "owner"])
def test_no_header_brings_an_address_down(addresses, who):
    client = Client() if who == "nobody" else logged_in(*PERMISSIONS)
    for url in addresses.values():
        for value in IN_A_HEADER:
            ask(client, url, **dict.fromkeys(HEADERS, value))
            ask(client, url, **{**dict.fromkeys(HEADERS, value), "HX-Request": "true"})


@pytest.mark.parametrize(
    "back",
    ["/a\nb", "/a\r\nSet-Cookie: pwned=1", "/a\x00b", "/\\pwned.test", "//pwned.test", "/\t/pwned.test", "\n//pwned.test", "javascript:1",
     "/" + "a" * 60_000, "/schedules/?q=\u202e=é"],
)  # fmt: skip
@pytest.mark.parametrize("headers", [{}, {"HX-Request": "true"}], ids=["page", "htmx"])
def test_a_form_leads_back_to_our_own_pages_alone(addresses, back, headers):
    response = logged_in("view").post(addresses["theme"], {"theme": "dark", "back": back}, headers=headers)
    assert response.status_code == (200 if headers else 303)
    address = response.headers.get("HX-Redirect") or response.headers["Location"]
    assert re.fullmatch(r"/([!-.0-~][!-~]*)?", address), address
    assert "\\" not in address


@pytest.mark.parametrize(
    "name", [name for name in NAMES if name.endswith(("able", "run", "skip", "theme", "delete"))]
)
def test_no_header_brings_a_post_down(addresses, name):
    client = logged_in(*PERMISSIONS)
    for header in HEADERS:
        response = client.post(addresses[name], {"back": "http://[::1"}, headers={header: "http://[::1"})
        assert response.status_code < 500, header
