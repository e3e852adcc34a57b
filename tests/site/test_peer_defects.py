"""Ten defects that other dashboards have, each with the tests that keep it out of this one; and the one about remote control."""

from __future__ import annotations

import ast

import kombu
import pytest
from celery.app.control import Control

from tests.site.source_rules import REPOSITORY
from tests.site.test_urls_by_role import EXPECTED, ROUTES, address_of, browser_of, rows

__all__ = ["rows"]
DEFECTS = {
    "runs are joined by the task's name": (
        "tests/web/test_runs.py::test_it_keeps_two_schedules_of_one_task_apart",
        "tests/web/test_schedule.py::test_its_runs_are_paged_and_never_those_of_another_schedule_of_the_same_task",
    ),
    "the last run is told late, or never": (
        "tests/operations/test_claims.py::test_the_last_run_is_told_with_the_dispatch_or_neither_is",
    ),
    "schedules count as overdue while it is beat that is away": (
        "tests/browser/test_pages.py::test_a_beat_that_does_not_tick_is_told_once_and_not_in_every_row",
        "tests/web/test_states_in_views.py::test_without_a_beat_every_page_says_so_once_and_no_schedule_is_blamed",
    ),
    "a timeline knows no zones": ("tests/web/test_timeline.py::test_each_rule_is_planned_in_its_own_zone",),
    "a timeline knows no weekdays": (
        "tests/web/test_timeline.py::test_days_that_a_rule_leaves_out_have_nothing_planned",
    ),
    "short run times are shown as 0": (
        "tests/unit/test_presenters.py::test_durations_are_never_rounded_to_nothing",
    ),
    "what nobody knows is shown as 0": (
        "tests/web/test_workers.py::test_it_shows_what_nobody_told_as_unknown_and_not_as_zero",
    ),
    "a page waits for the workers' answers": (
        "tests/site/test_peer_defects.py::test_no_page_and_no_poll_waits_for_the_broker_or_a_worker",
    ),
    "a poll draws the whole page anew": (
        "tests/browser/test_pages.py::test_a_row_changes_by_itself_and_the_others_stay",
        "tests/web/test_schedules.py::test_the_poll_answers_nothing_while_nothing_changed",
        "tests/web/test_overview.py::test_the_poll_answers_only_the_sections_that_changed",
    ),
    "one bad row breaks or empties the list": (
        "tests/web/test_schedules.py::test_a_broken_rule_never_breaks_the_list",
        "tests/web/test_unreadable_rows.py::test_its_page_and_the_lists_show_it_and_it_can_be_deleted",
    ),
}
ON_REQUEST = {"workers/<uuid:instance>/details/"}
"""Asked for by a click of its own, and answered within a deadline: the page around it is there already."""
READ = sorted(route for route, line in EXPECTED.items() if line.get.endswith(("200", "204")))


def names_in(path: str) -> set[str]:
    tree = ast.parse((REPOSITORY / path).read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("defect", list(DEFECTS))
def test_each_defect_has_its_test(defect):
    assert len(DEFECTS) == 10
    for place in DEFECTS[defect]:
        path, _, name = place.partition("::")
        assert name in names_in(path), place


@pytest.fixture
def silence(monkeypatch):
    """No broker to reach, and nobody to ask."""

    def refuse(*_arguments, **_options):
        raise AssertionError("asked the broker or a worker")

    monkeypatch.setattr(kombu.Connection, "transport", property(refuse))
    monkeypatch.setattr(kombu.Connection, "default_channel", property(refuse))
    monkeypatch.setattr(Control, "broadcast", refuse)


@pytest.mark.parametrize("route", [route for route in READ if route not in ON_REQUEST])
def test_no_page_and_no_poll_waits_for_the_broker_or_a_worker(rows, silence, route):
    response = browser_of("owner").get(address_of(route, rows))

    assert response.status_code in {200, 204}


def test_what_would_ask_would_be_seen(rows, silence):
    (route,) = ON_REQUEST
    with pytest.raises(AssertionError, match="asked the broker or a worker"):
        browser_of("owner").get(address_of(route, rows))
    assert route in ROUTES
