"""The writer's thread: in order, with patience for so long and no longer, and to the spool when the database is away."""

from __future__ import annotations

import threading
import time
from datetime import timedelta

import pytest
from django.db import OperationalError

from schedulerui.facts import RunState
from schedulerui.operations.reports import Report
from schedulerui.operations.spool import Spool
from schedulerui.recorder.writer import LOOK_AHEAD, Writer
from schedulerui.testing import DULL_WEDNESDAY
from tests import pace
from tests.waiting import eventually

# The thread opens a connection of its own, which a transaction of the test would hide from it.
pytestmark = pytest.mark.django_db(transaction=True)

PATIENCE = 0.3
LONG = 60
"""Patience of those who are to see it written, however busy the machine is."""


def make_report(number):
    return Report(task_id=f"task-{number}", state=RunState.STARTED, moment=DULL_WEDNESDAY)


class Database:
    """Stands where history.record stands: takes reports, can be locked (calls hang) or away (calls fail)."""

    def __init__(self):
        self.taken = []
        self.unlocked = threading.Event()
        self.unlocked.set()
        self.is_away = False
        self.n_probes = 0

    def __call__(self, report):
        self.unlocked.wait(60)
        if self.is_away:
            raise OperationalError("database is locked")
        if report.task_id == "task-poison":
            raise TypeError("poison")
        self.taken.append(report.task_id)

    def probe(self):
        self.n_probes += 1
        self.unlocked.wait(60)
        if self.is_away:
            raise OperationalError("database is locked")


@pytest.fixture
def database():
    return Database()


@pytest.fixture
def spool(tmp_path):
    return Spool(tmp_path / "spool")


@pytest.fixture
def writer(database, spool, settings):
    settings.SCHEDULERUI = {**settings.SCHEDULERUI, "RECORDER_PATIENCE": PATIENCE}
    writer = Writer(apply=database, probe=database.probe, waiting=spool)
    yield writer
    database.unlocked.set()
    writer.close(within=60)
    eventually(
        lambda: not any(thread.name == "schedulerui-recorder" for thread in threading.enumerate()), within=60
    )


def test_a_report_is_written_when_submit_returns(writer, database):
    for number in range(3):
        assert writer.submit(make_report(number), patience=LONG)
    assert database.taken == ["task-0", "task-1", "task-2"]


def test_reports_that_nobody_waits_for_keep_their_order(writer, database):
    for number in range(50):
        assert not writer.submit(make_report(number), patience=0)
    eventually(lambda: len(database.taken) == 50, within=60)
    assert database.taken == [f"task-{number}" for number in range(50)]


def test_only_the_first_task_waits_when_the_database_hangs_and_nothing_is_lost(writer, database, spool):
    database.unlocked.clear()
    began, ours = time.monotonic(), pace.seconds()
    assert not writer.submit(make_report(0), patience=PATIENCE)
    assert time.monotonic() - began >= PATIENCE
    assert pace.seconds() - ours < PATIENCE + 0.5
    ours = pace.seconds()
    for number in range(1, 20):
        assert not writer.submit(make_report(number), patience=PATIENCE)
    assert pace.seconds() - ours < 0.5
    assert not spool.is_empty()
    database.unlocked.set()
    eventually(lambda: spool.is_empty() and not writer.is_away, within=60)
    assert set(database.taken) == {f"task-{number}" for number in range(20)}


def test_it_is_behind_while_many_reports_wait_or_the_database_is_away(writer, database):
    assert not writer.is_behind
    database.unlocked.clear()
    for number in range(LOOK_AHEAD + 1):  # the thread is stuck with the first
        writer.submit(make_report(number), patience=0)
    assert writer.is_behind
    database.unlocked.set()
    eventually(lambda: not writer.is_behind, within=60)
    database.is_away = True
    writer.submit(make_report("away"), patience=LONG)
    assert writer.is_behind
    database.is_away = False


def test_reports_wait_in_the_spool_while_the_database_is_away_and_follow_when_it_is_back(
    writer, database, spool
):
    database.is_away = True
    assert not writer.submit(make_report(0), patience=PATIENCE)
    assert writer.is_away
    writer.submit(make_report(1), patience=PATIENCE)
    assert database.taken == []
    database.is_away = False
    eventually(lambda: not writer.is_away, within=60)
    assert database.taken == ["task-0", "task-1"]
    assert writer.submit(make_report(2), patience=LONG)


def test_it_stays_away_while_another_process_replays_what_it_spooled(writer, database, spool):
    database.is_away = True
    writer.submit(make_report(0), patience=PATIENCE)
    spool.replay(lambda report: None)
    writer.submit(make_report(1), patience=PATIENCE)
    spool.replay(lambda report: None)
    assert spool.is_empty()
    tries = database.n_probes
    eventually(lambda: database.n_probes > tries, within=60)
    assert writer.is_away


def test_a_report_that_the_database_refuses_is_dropped_with_a_line_in_the_log(writer, database, caplog):
    assert not writer.submit(make_report("poison"), patience=PATIENCE)
    assert writer.submit(make_report(1), patience=LONG)
    assert "report_drop" in [getattr(record, "action", "") for record in caplog.records]


def test_waiting_for_a_report_that_was_taken_before_spools_it_when_patience_ends(writer, database, spool):
    database.unlocked.clear()
    taken = writer.take(make_report(1))
    assert not writer.wait_for(taken, patience=0.05)
    assert writer.is_away
    assert writer.take(make_report(2)) is None
    assert not writer.wait_for(None, patience=60)
    database.unlocked.set()
    eventually(lambda: not writer.is_away, within=60)
    assert set(database.taken) == {"task-1", "task-2"}


def of_delivery(state, number=1, **fields):
    return Report(
        task_id=f"task-{number}",
        state=state,
        moment=DULL_WEDNESDAY,
        **{"received_at": DULL_WEDNESDAY, **fields},
    )


def test_a_start_is_left_out_when_the_end_waits_behind_it(writer, database):
    writer.submit(make_report(0), patience=LONG)
    database.unlocked.clear()
    writer.submit(make_report("first"), patience=0)
    for number in (1, 2):
        writer.submit(of_delivery(RunState.STARTED, number), patience=0)
    writer.submit(of_delivery(RunState.SUCCEEDED, 1), patience=0)
    writer.submit(of_delivery(RunState.SUCCEEDED, 2, received_at=DULL_WEDNESDAY + timedelta(1)), patience=0)
    database.unlocked.set()
    eventually(lambda: len(database.taken) == 5, within=60)
    assert database.taken == ["task-0", "task-first", "task-2", "task-1", "task-2"]


def test_a_report_for_later_is_written_after_its_moment_unless_it_is_moot(writer, database):
    writer.submit_later(of_delivery(RunState.RECEIVED, "moot"), after=1.5, is_moot=lambda: True)
    writer.submit_later(of_delivery(RunState.RECEIVED, "late"), after=2, is_moot=lambda: False)
    assert writer.submit(of_delivery(RunState.SUCCEEDED, "now"), patience=LONG)
    assert database.taken == ["task-now"]
    eventually(lambda: len(database.taken) == 2, within=60)
    assert database.taken == ["task-now", "task-late"]


def test_closing_writes_what_was_for_later(writer, database):
    writer.submit_later(of_delivery(RunState.RECEIVED), after=60, is_moot=lambda: False)
    writer.close(within=60)
    assert database.taken == ["task-1"]


def test_what_was_for_later_goes_to_the_spool_when_closing_cannot_write_it(writer, database, spool):
    writer.submit_later(of_delivery(RunState.RECEIVED, 1), after=60, is_moot=lambda: False)
    eventually(lambda: len(writer._later) == 1, within=60)
    database.unlocked.clear()
    writer.submit(make_report(2), patience=0)
    writer.close(within=0.1)
    kept = []
    spool.replay(lambda report: kept.append(report.task_id))
    assert set(kept) == {"task-1", "task-2"}


def test_closing_writes_what_waits(writer, database):
    for number in range(20):
        writer.submit(make_report(number), patience=0)
    writer.close(within=60)
    assert len(database.taken) == 20


def test_closing_spools_what_cannot_be_written_in_time(writer, database, spool):
    database.unlocked.clear()
    for number in range(5):
        writer.submit(make_report(number), patience=0)
    writer.close(within=0.1)
    kept = []
    spool.replay(lambda report: kept.append(report.task_id))
    assert set(kept) == {f"task-{number}" for number in range(5)}


def test_its_thread_ends_when_it_comes_free_after_closing(writer, database):
    database.unlocked.clear()
    writer.submit(make_report(0), patience=0)
    (thread,) = [thread for thread in threading.enumerate() if thread.name == "schedulerui-recorder"]
    writer.close(within=0.1)
    assert thread.is_alive()
    database.unlocked.set()
    eventually(lambda: not thread.is_alive(), within=60)


def test_it_starts_again_after_it_was_closed(writer, database):
    writer.submit(make_report(0), patience=LONG)
    writer.close(within=60)
    assert writer.submit(make_report(1), patience=LONG)
    assert database.taken == ["task-0", "task-1"]
