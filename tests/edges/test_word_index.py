"""`index`: made where the database has such a thing, said where it has not, and never an error."""

from __future__ import annotations

import io

import pytest
from django.core.management import call_command
from django.db import connection

from schedulerui.models import Schedule
from schedulerui.operations import word_index

pytestmark = pytest.mark.django_db(transaction=True)


def say():
    out = io.StringIO()
    call_command("schedulerui", "index", stdout=out)
    return out.getvalue().strip()


def has_index():
    return connection.vendor == "postgresql"


@pytest.fixture(autouse=True)
def _clean():
    yield
    if has_index():
        with connection.cursor() as cursor:
            cursor.execute("DROP EXTENSION IF EXISTS pg_trgm CASCADE")


def plan_of(queryset):
    with connection.cursor() as cursor:
        cursor.execute("SET enable_seqscan = off")
        plan = queryset.explain()
        cursor.execute("RESET enable_seqscan")
    return plan


def test_it_makes_the_indexes_once_or_says_that_there_are_none():
    if not has_index():
        assert (
            say()
            == f"{connection.vendor} has no index for words inside a text: they are looked for row by row."
        )
        return
    assert say() == "Made: su_schedule_words, su_schedule_tags."
    assert say() == "All indexes are there."
    assert "su_schedule_words" in plan_of(Schedule.objects.filter(name__icontains="night"))
    assert "su_schedule_tags" in plan_of(Schedule.objects.filter(tags__contains=" team "))


def test_it_says_who_can_help_where_the_user_may_not_create_the_extension():
    if not has_index():
        with pytest.raises(word_index.NotAvailable, match="row by row"):
            word_index.create()
        return
    with connection.cursor() as cursor:
        cursor.execute("CREATE ROLE guest")
        cursor.execute("SET ROLE guest")
        try:
            assert "An administrator of the database can: CREATE EXTENSION" in say()
        finally:
            cursor.execute("RESET ROLE")
            cursor.execute("DROP ROLE guest")


def test_it_makes_anew_what_an_interrupted_build_left_behind():
    if not has_index():
        assert "row by row" in say()
        return
    say()
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE pg_index SET indisvalid = false WHERE indexrelid = to_regclass('su_schedule_tags')"
        )
    assert say() == "Made: su_schedule_tags."
