from __future__ import annotations

import pytest

from schedulerui.models import Change, Schedule
from schedulerui.operations import schedules
from tests.web.people import (
    ANA,
    NOON,
    OF_THE_PERSON,
    a_schedule,
    check_gate,
    check_methods,
    logged_in,
    text_of,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def edited():
    """A schedule at version 2, whose arguments and time were others at version 1."""
    schedule = a_schedule(args=["old-secret"])
    fields = {"expression": "0 5 * * *", "args": ["new-secret"]}
    return schedules.edit(schedule.pk, fields, version=1, actor=ANA, now=NOON)


def restore_url(schedule):
    return f"/schedules/{schedule.pk}/restore/{Change.objects.filter(schedule=schedule).earliest('id').pk}/"


def test_it_asks_for_login_and_permission(edited):
    check_gate(restore_url(edited), verb="change")
    check_gate(f"/schedules/{edited.pk}/changes/", verb="view_audit")
    check_methods(restore_url(edited), "PUT", "DELETE")
    check_methods(f"/schedules/{edited.pk}/changes/", "POST", "PUT")


def test_the_list_shows_each_difference_and_leads_to_older_versions(edited):
    text = text_of(logged_in("view", "view_audit", "change").get(f"/schedules/{edited.pk}/changes/"))
    assert "<del>30 2 * * *</del>" in text
    assert f'href="{restore_url(edited)}"' in text
    assert "as it is now" in text
    assert "secret" not in text
    assert "/restore/" not in text_of(logged_in("view", "view_audit").get(f"/schedules/{edited.pk}/changes/"))


def test_the_list_asks_the_same_number_of_queries_however_long(edited, django_assert_max_num_queries):
    client = logged_in("view", "view_audit", "change")
    for number in range(30):
        version = Schedule.objects.get(pk=edited.pk).version
        schedules.edit(edited.pk, {"expression": f"{number} 5 * * *"}, version=version, actor=ANA, now=NOON)
    with django_assert_max_num_queries(6 + OF_THE_PERSON):
        client.get(f"/schedules/{edited.pk}/changes/")


def test_it_shows_what_would_change_and_changes_nothing(edited):
    text = text_of(logged_in("view", "change", "view_values").get(restore_url(edited)))
    assert "<del>0 5 * * *</del>" in text
    assert "<ins>30 2 * * *</ins>" in text
    assert "old-secret" in text
    assert Schedule.objects.get(pk=edited.pk).version == 2


def test_it_brings_back_what_is_posted(edited):
    client = logged_in("view", "change", "view_values")
    response = client.post(restore_url(edited), {"version": "2"})
    assert (response.status_code, response["Location"]) == (303, f"/schedules/{edited.pk}/")
    found = Schedule.objects.get(pk=edited.pk)
    assert (found.expression, found.args) == ("30 2 * * *", ["old-secret"])
    assert "is as it was in version 1" in text_of(client.get(response["Location"]))


def test_who_may_not_see_values_neither_sees_nor_changes_arguments(edited):
    client = logged_in("view", "change")
    text = text_of(client.get(restore_url(edited)))
    assert "secret" not in text
    assert "may not see values" in text
    client.post(restore_url(edited), {"version": "2"})
    found = Schedule.objects.get(pk=edited.pk)
    assert (found.expression, found.args) == ("30 2 * * *", ["new-secret"])


@pytest.mark.parametrize("seen", ["1", "", "9" * 30, "²", "-1"])
def test_somebody_faster_is_named_and_the_next_try_is_a_decision(edited, seen):
    client = logged_in("view", "change", "view_values")
    response = client.post(restore_url(edited), {"version": seen})
    text = text_of(response)
    assert response.status_code == 409
    assert "ana changed this schedule" in text
    assert 'name="version" value="2"' in text
    assert Schedule.objects.get(pk=edited.pk).version == 2


def test_values_that_are_wrong_today_are_said_and_offer_no_button(edited):
    change = Change.objects.filter(schedule=edited).earliest("id")
    change.snapshot = {**change.snapshot, "expression": "<b>nonsense</b>"}
    change.save()
    client = logged_in("view", "change", "view_values")
    text = text_of(client.get(restore_url(edited)))
    assert "not valid any more" in text
    assert "<b>nonsense" not in text
    assert "Bring it back" not in text
    assert client.post(restore_url(edited), {"version": "2"}).status_code == 422


def test_nothing_to_bring_back_is_said(edited):
    change = Change.objects.filter(schedule=edited).latest("id")
    url = f"/schedules/{edited.pk}/restore/{change.pk}/"
    assert "it is as it was then" in text_of(logged_in("view", "change", "view_values").get(url))


def test_what_is_defined_in_code_is_refused():
    schedule = a_schedule(source="code", source_key="nightly")
    client = logged_in("view", "change")
    assert client.get(restore_url(schedule)).status_code == 200
    assert client.post(restore_url(schedule), {"version": "1"}).status_code == 403


def test_no_version_of_this_schedule_is_not_there(edited):
    other = a_schedule("Other")
    foreign = Change.objects.get(schedule=other).pk
    client = logged_in("view", "change")
    for pk in (foreign, 9_999_999, 10**30):
        assert client.get(f"/schedules/{edited.pk}/restore/{pk}/").status_code == 404
