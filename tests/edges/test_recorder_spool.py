"""Reports on disk while the database is away: none is lost, none is taken by two, a bad one holds up nobody."""

from __future__ import annotations

import os
import uuid

import pytest
from django.db import OperationalError
from hypothesis import given
from hypothesis import strategies as st

from schedulerui.error_text import storable
from schedulerui.facts import RunState
from schedulerui.operations import spool as spool_module
from schedulerui.operations.reports import CUT, Report, clean
from schedulerui.operations.spool import DAMAGED, Spool, SpoolError
from schedulerui.testing import DULL_WEDNESDAY


def make_report(number=0, **fields):
    return Report(task_id=f"task-{number}", state=RunState.STARTED, moment=DULL_WEDNESDAY, **fields)


@pytest.fixture
def spool(tmp_path):
    return Spool(tmp_path / "spool")


def test_what_was_appended_is_replayed_in_order_and_then_gone(spool):
    reports = [make_report(number) for number in range(5)]
    for report in reports:
        spool.append(report)
    taken: list[Report] = []
    assert not spool.is_empty()
    assert spool.replay(taken.append) == 5
    assert taken == reports
    assert spool.is_empty()
    assert spool.replay(taken.append) == 0


def test_what_was_not_taken_still_waits_when_the_database_goes_away_again(spool):
    for number in range(3):
        spool.append(make_report(number))
    taken: list[Report] = []

    def apply(report):
        if len(taken) == 1:
            raise OperationalError("database is locked")
        taken.append(report)

    with pytest.raises(OperationalError):
        spool.replay(apply)
    rest: list[Report] = []
    spool.append(make_report(3))
    assert spool.replay(rest.append) == 3
    assert [report.task_id for report in [*taken, *rest]] == ["task-0", "task-1", "task-2", "task-3"]


def test_a_torn_line_and_a_refused_report_hold_up_nobody(spool, caplog):
    for number in range(3):
        spool.append(make_report(number))
    (path,) = spool.folder.iterdir()
    path.write_bytes(path.read_bytes() + b'{"task_id": "torn')
    taken = []

    def apply(report):
        if report.task_id == "task-1":
            raise ValueError("refused")
        taken.append(report.task_id)

    assert spool.replay(apply) == 2
    assert taken == ["task-0", "task-2"]
    assert [record.action for record in caplog.records] == ["spool_damaged", "spool_damaged"]
    assert spool.is_empty()
    refused, torn = (spool.folder / DAMAGED).read_text().splitlines()
    assert Report.decode(refused).task_id == "task-1"
    assert torn == '{"task_id": "torn'


def test_what_is_set_aside_is_bounded(spool, monkeypatch):
    monkeypatch.setattr(spool_module, "DAMAGED_MAX", 300)
    for number in range(9):
        spool.append(make_report(number))

    def refuse(report):
        raise ValueError("refused")

    assert spool.replay(refuse) == 0
    assert 0 < (spool.folder / DAMAGED).stat().st_size <= 300


def test_two_containers_with_the_same_process_id_share_a_folder_without_sharing_a_file(spool):
    other = Spool(spool.folder)
    spool.append(make_report(0))
    other.append(make_report(1))
    names = [path.name for path in spool.folder.iterdir()]
    assert len(names) == 2
    assert all(f"-{os.getpid()}-" in name for name in names)
    taken: list[Report] = []
    assert spool.replay(taken.append) == 2
    assert {report.task_id for report in taken} == {"task-0", "task-1"}


def test_a_process_that_was_forked_has_a_file_of_its_own(spool, monkeypatch):
    spool.append(make_report(0))
    monkeypatch.setattr(os, "getpid", lambda: 1)
    spool.append(make_report(1))
    assert len(list(spool.folder.iterdir())) == 2


def test_two_replays_do_not_take_one_report_twice(spool):
    spool.append(make_report())
    other, taken = Spool(spool.folder), []

    def apply(report):
        taken.append(report)
        assert other.replay(taken.append) == 0

    spool.replay(apply)
    assert len(taken) == 1


def test_a_report_that_comes_during_a_replay_waits_for_the_next(spool):
    spool.append(make_report(0))
    taken = []

    def apply(report):
        taken.append(report.task_id)
        if len(taken) == 1:
            spool.append(make_report(1))

    spool.replay(apply)
    spool.replay(apply)
    assert taken == ["task-0", "task-1"]


def test_only_we_can_read_the_folder_and_its_files(spool):
    spool.append(make_report())
    assert spool.folder.stat().st_mode & 0o777 == 0o700
    assert [path.stat().st_mode & 0o777 for path in spool.folder.iterdir()] == [0o600]


def test_it_refuses_a_folder_that_others_may_write_to(spool):
    spool.folder.mkdir()
    spool.folder.chmod(0o777)
    with pytest.raises(SpoolError, match="only we"):
        spool.append(make_report())


def test_it_refuses_a_link_in_place_of_the_folder(spool, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    spool.folder.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SpoolError):
        spool.append(make_report())


@given(
    attempt=st.none() | st.integers(0, 99),
    runtime=st.none() | st.floats(0, 1e9),
    text=st.text(st.characters(codec="utf-8"), max_size=50),
)
def test_a_report_comes_back_as_it_was(attempt, runtime, text):
    report = make_report(
        attempt=attempt,
        runtime=runtime,
        reason=text,
        result=text,
        log=text,
        unscheduled={"task": text},
        instance=uuid.UUID(int=7),
        pid=3,
        received_at=DULL_WEDNESDAY,
    )
    assert Report.decode(report.encode()) == report


@pytest.mark.parametrize(
    "line", ["", "7", "[]", "null", "{}", '{"task_id": "x", "state": "no", "moment": "x"}', "[" * 9999]
)
def test_anything_else_is_no_report(line):
    with pytest.raises(ValueError, match="not a report"):
        Report.decode(line)


@given(st.text(max_size=300), st.integers(0, 100))
def test_cleaned_text_is_short_and_storable(text, limit):
    cleaned = clean(text, limit=limit)
    assert len(cleaned) <= limit
    assert "\x00" not in cleaned
    cleaned.encode("utf-8")


def test_cut_text_keeps_its_beginning_and_its_end():
    cleaned = clean("begin" + "x" * 500 + "end", limit=100)
    assert cleaned.startswith("begin")
    assert cleaned.endswith("end")
    assert CUT in cleaned


def test_one_text_for_all_of_them_loses_what_no_database_takes_and_nothing_else():
    assert storable("a\x00b\ud800c \U0001f600\u202e") == "ab?c \U0001f600\u202e"
