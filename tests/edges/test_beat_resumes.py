"""A beat switches on what was paused until a moment."""

from __future__ import annotations

from datetime import timedelta

import pytest

from schedulerui.beat.loop import Loop
from schedulerui.conf import Settings
from schedulerui.facts import Actor
from schedulerui.models import Run, Schedule
from schedulerui.operations import pauses
from tests.celery_app import app

pytestmark = pytest.mark.django_db


def test_it_resumes_at_the_moment_and_sends_the_time_that_falls_on_it(clock, sent, make_schedule):
    loop = Loop(app=app, clock=clock, options=Settings(), max_sleep=1.0)
    schedule = make_schedule()
    until = clock.now() + timedelta(minutes=3)
    pauses.pause(schedule.pk, until=until, reason="", actor=Actor(name="ana"), now=clock.now())
    loop.tick()
    clock.shift(minutes=2, seconds=58)
    loop.tick()
    assert not sent.sent
    assert not Schedule.objects.get(pk=schedule.pk).enabled
    clock.shift(seconds=2)
    loop.tick()
    assert Schedule.objects.get(pk=schedule.pk).enabled
    assert [run.nominal_at for run in sent.sent] == [until]
    assert Run.objects.get(state="skipped").count == 2
