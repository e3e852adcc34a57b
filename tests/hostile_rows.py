"""Rows whose every text column holds hostile text, written past all validation; a new column is filled without being told."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from django.contrib.auth.models import User
from django.db import models

from schedulerui import clock
from schedulerui.models import (
    Alert,
    Attempt,
    Beat,
    Change,
    Finding,
    Notification,
    Part,
    Queue,
    Run,
    SavedView,
    Schedule,
    ScheduleState,
    Silence,
    Worker,
)
from tests.hostile import storable_values

SHORT_CODES = {"delivery_mode", "heard_by", "page", "state", "last_state"}
"""Columns without choices that only the product writes, from a fixed list."""
SPREAD = 37
"""Distance between the texts of two columns: each row shows many, and each column has each text in some row."""


class Filler:
    """What to put into the columns of row ``i`` of a model."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.texts = texts

    def text(self, i: int, column: int) -> str:
        return self.texts[(i + column * SPREAD) % len(self.texts)]

    def row(self, model: type[models.Model], i: int) -> dict[str, object]:
        row: dict[str, object] = {}
        for column, field in enumerate(model._meta.concrete_fields):
            if field.choices or field.unique or field.name in SHORT_CODES or field.primary_key:
                continue
            text = self.text(i, column)
            if isinstance(field, models.JSONField):
                is_list = field.get_default() == []
                row[field.name] = (
                    [text, {text: text}] if is_list else {text: text, "x": [text], "password": text}
                )
            elif isinstance(field, models.CharField | models.TextField):
                row[field.name] = text[: field.max_length]
        return row


def named(text: str, i: int, *, size: int) -> str:
    """A name that no other row has and that begins with the text."""
    return f"{text[: size - 5]} {i}"


def canvas_of(filler: Filler, i: int) -> dict[str, object]:
    """A chord of hostile tasks in a chain; every third is of a shape that no operation would have stored."""
    if i % 3 == 0:
        shapes: tuple[dict[str, object], ...] = (
            {"type": filler.text(i, 1)},
            {filler.text(i, 1): "x"},
            {"type": "chain", "steps": filler.text(i, 2)},
        )
        return shapes[i // 3 % 3]
    tasks = [
        {"type": "task", "task": filler.text(i, n), "args": [filler.text(i, n + 1)], "kwargs": {filler.text(i, n + 2): filler.text(i, n + 3)},
         "options": {"queue": filler.text(i, n + 4)}, "immutable": n == 0}
        for n in range(3)
    ]  # fmt: skip
    return {"type": "chain", "steps": [tasks[0], {"type": "chord", "header": tasks[:2], "body": tasks[2]}]}


def fill(texts: Sequence[str], *, owner: User) -> None:
    """Write a row for each text into every table of the dashboard."""
    filler, now = Filler(texts), clock.now()
    schedules = [_schedule(filler, i, now) for i in range(len(texts))]
    Schedule.objects.bulk_create(schedules)
    runs = Run.objects.bulk_create([_run(filler, i, now, schedule) for i, schedule in enumerate(schedules)])
    ScheduleState.objects.bulk_create(
        ScheduleState(**filler.row(ScheduleState, i), schedule=schedule, last_run_id=run.pk, last_run_at=now,
                      last_state=run.state, failure_streak=i)
        for i, (schedule, run) in enumerate(zip(schedules, runs, strict=True))
    )  # fmt: skip
    _of_runs(filler, runs, now)
    _of_schedules(filler, schedules, now, owner)
    _processes(filler, len(texts), now)


def _schedule(filler: Filler, i: int, now: datetime) -> Schedule:
    is_broken = i % 3 == 0
    row = filler.row(Schedule, i) | {
        "name": named(filler.texts[i], i, size=190), "kind": "crontab" if is_broken else "interval", "every": 5, "period": "minutes",
        "anchor_at": now, "created_at": now, "updated_at": now, "source_key": None,
        "canvas": canvas_of(filler, i) if i % 2 else {}, "options": {filler.text(i, 3): filler.text(i, 4)},
        "skips": [{"nominal": (now + timedelta(minutes=5)).isoformat(), "reason": filler.text(i, 5), "actor": filler.text(i, 6), "at": filler.text(i, 7)}],
        "paused_at": now, "resume_at": None, "enabled": i % 4 != 0,
    }  # fmt: skip
    if not is_broken:
        row |= {"tz": "UTC"}
    if row["enabled"]:
        row |= {"error": "", "next_run_at": now + timedelta(minutes=5), "next_nominal_at": now + timedelta(minutes=5)}  # fmt: skip
    if i == 1:
        row["args"] = storable_values()
    return Schedule(**row)


def _run(filler: Filler, i: int, now: datetime, schedule: Schedule) -> Run:
    row = filler.row(Run, i) | {
        "key": f"h:{i}", "schedule": schedule, "task_id": f"id-{i}", "state": ("failed", "succeeded", "started", "retrying", "lost")[i % 5],
        "due_at": now - timedelta(minutes=i), "nominal_at": now, "created_at": now, "started_at": now,
        "canvas": canvas_of(filler, i) if i % 2 else {}, "options": {filler.text(i, 3): filler.text(i, 4)},
        "start_token": None, "worker_instance": uuid.uuid4(),
    }  # fmt: skip
    row["trigger"] = ("schedule", "manual")[i % 2]
    if i == 1:
        row |= {"args": storable_values(), "result": "x<b>" * 250_000, "traceback": "long\n" * 200_000, "log": "W" * 500_000}  # fmt: skip
    return Run(**row)


def _of_runs(filler: Filler, runs: Sequence[Run], now: datetime) -> None:
    Attempt.objects.bulk_create(
        Attempt(**filler.row(Attempt, i), run=run, state="failed", started_at=now)
        for i, run in enumerate(runs)
    )
    Part.objects.bulk_create(
        Part(**filler.row(Part, i), run=run, position=1, task_id=f"part-{i}", state="failed") for i, run in enumerate(runs)
    )  # fmt: skip


def _of_schedules(filler: Filler, schedules: Sequence[Schedule], now: datetime, owner: User) -> None:
    Change.objects.bulk_create(
        Change(**filler.row(Change, i) | {"diff": {filler.texts[i]: [filler.texts[i], [filler.texts[i]]]}}, at=now, schedule=schedule,
               schedule_uuid=schedule.uuid, version=1)
        for i, schedule in enumerate(schedules)
    )  # fmt: skip
    Alert.objects.bulk_create(
        Alert(**filler.row(Alert, i), key=f"k{i}", kind=("schedule", "queue")[i % 2], schedule=schedule if i % 2 == 0 else None,
              state="failing", since=now)
        for i, schedule in enumerate(schedules)
    )  # fmt: skip
    Notification.objects.bulk_create(
        Notification(**filler.row(Notification, i) | {"payload": {"alerts": [{"subject": text, "message": text}]}}, key=f"n{i}",
                     state="failed", next_try_at=now, created_at=now)
        for i, text in enumerate(filler.texts)
    )  # fmt: skip
    Silence.objects.bulk_create(
        Silence(**filler.row(Silence, i), starts_at=now, ends_at=now + timedelta(hours=1), schedule=schedule, created_at=now)
        for i, schedule in enumerate(schedules)
    )  # fmt: skip
    SavedView.objects.bulk_create(
        SavedView(user=owner, page=("schedules", "runs")[i % 2], name=named(text, i, size=60), query=f"q={text}"[:1000])
        for i, text in enumerate(filler.texts)
    )  # fmt: skip


def _processes(filler: Filler, n_texts: int, now: datetime) -> None:
    ago = datetime(2026, 1, 1, tzinfo=UTC)
    for i in range(n_texts):
        Worker.objects.create(
            **filler.row(Worker, i), instance=uuid.uuid4(), pid=i, started_at=ago, seen_at=now
        )
        Beat.objects.create(**filler.row(Beat, i) | {"latency": {}}, pid=i, started_at=ago, seen_at=now)
    Queue.objects.bulk_create(
        Queue(**filler.row(Queue, i), name=named(text, i, size=200), depth=i, measured_at=now) for i, text in enumerate(filler.texts)
    )  # fmt: skip
    Finding.objects.bulk_create(
        Finding(kind=named(text, i, size=20), n=i + 1, examples=[{"name": text, "detail": text}], checked_at=now)
        for i, text in enumerate(filler.texts)
    )  # fmt: skip
