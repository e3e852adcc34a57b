"""What a row and a schedule's own page offer beside the switch and the run: one menu, by what the person may."""

from __future__ import annotations

import re

import pytest

from tests.web.people import a_schedule, logged_in, text_of

pytestmark = pytest.mark.django_db

ALL = {"edit/", "pause/", "upcoming/", "new/", "code/", "delete/"}


def panel(text):
    return text.partition('<div class="menu__panel">')[2].partition("</details>")[0]


def offered(text):
    """Where the menu leads: the last part of each address."""
    return {re.sub(r".*/(?=\w+/$)", "", path) for path in re.findall(r'<a [^>]*href="([^"?]*)', text)}


@pytest.mark.parametrize(
    ("verbs", "expected"),
    [
        (("view",), {"code/"}),
        (("view", "operate"), {"pause/", "upcoming/", "code/"}),
        (("view", "change"), {"edit/", "code/"}),
        (("view", "add"), {"new/", "code/"}),
        (("view", "delete"), {"delete/", "code/"}),
        (("view", "operate", "change", "add", "delete"), ALL),
    ],
)
def test_the_menu_offers_what_the_person_may_in_the_list_and_on_the_page(verbs, expected):
    schedule = a_schedule()
    person = logged_in(*verbs)
    in_list = text_of(person.get("/schedules/")).partition('<template id="row-menu">')[2]
    on_page = text_of(person.get(f"/schedules/{schedule.pk}/")).partition('id="schedule-actions"')[2]
    assert offered(panel(in_list)) == offered(panel(on_page)) == expected


def test_the_list_has_the_menu_once_and_each_row_a_link_for_people_without_a_script():
    made = [a_schedule(f"S{number}") for number in range(3)]
    text = text_of(logged_in("view", "operate").get("/schedules/"))
    assert text.count('id="row-menu"') == 1
    for schedule in made:
        link = f'<a id="more-{schedule.pk}" class="button" href="{schedule.pk}/" aria-labelledby="more open-{schedule.pk}">'
        assert link in text
    assert '<span class="sr" id="more">Actions</span>' in text


def test_a_row_that_the_poll_sends_has_the_link_and_no_menu():
    schedule = a_schedule()
    answer = logged_in("view", "operate").get(
        "/live/schedules/", {"have": f"schedule-{schedule.pk}:old"}, headers={"HX-Request": "true"}
    )
    text = text_of(answer)
    assert f'id="more-{schedule.pk}"' in text
    assert "<details" not in text


def test_what_the_menu_copies_is_the_schedule_that_it_belongs_to():
    schedule = a_schedule()
    text = text_of(logged_in("view", "add").get(f"/schedules/{schedule.pk}/"))
    assert f'href="/schedules/new/?copy={schedule.pk}"' in panel(text.partition('id="schedule-actions"')[2])
