"""``celery beat -S schedulerui``: a thin host around the loop.

Written against celery.beat 5.5 to 5.7: the class is built twice (once with ``lazy=True`` for the banner: no database then),
``tick`` must never raise, ``close`` is called twice at shutdown. The heap, ``is_due``, ``reserve`` and ``apply_entry`` of the
base class are not used.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from celery import Celery
from celery.beat import Scheduler
from django.db import Error as DatabaseFault

from schedulerui.beat.entries import UnknownEntry, fields_of
from schedulerui.beat.loop import Loop
from schedulerui.clock import DatabaseClock
from schedulerui.conf import settings
from schedulerui.operations import adoption

logger = logging.getLogger(__name__)

MAX_SLEEP_MAX = 60.0
"""Longest sleep in seconds, whatever is configured: an edit must be seen."""


class DatabaseScheduler(Scheduler):
    """Celery's beat driven by the schedule table. Any number may run at once."""

    def __init__(
        self, app: Celery, schedule: Any = None, max_interval: float | None = None, **kwargs: Any
    ) -> None:
        self._loop: Loop | None = None
        self._max_sleep = min(
            float(max_interval or app.conf.beat_max_loop_interval or settings().MAX_SLEEP), MAX_SLEEP_MAX
        )
        self._is_adopted = False
        self._clock = DatabaseClock()
        super().__init__(app, schedule, self._max_sleep, **kwargs)  # type: ignore[arg-type]  # the stubs know whole seconds only

    @property
    def info(self) -> str:
        """Return the line of Celery's banner; asked of the lazy instance, so nothing is opened here."""
        return "    . schedules -> database (schedulerui)"

    @property
    def schedule(self) -> Mapping[str, Any]:  # type: ignore[override]  # read-only on purpose: rows are the truth
        """Return an empty mapping: entries are rows, changed by operations and never through beat."""
        return MappingProxyType({})

    def setup_schedule(self) -> None:
        """Build the loop. The database may be away now: entries of code are adopted in the first tick that reaches it."""
        self._loop = Loop(app=self.app, clock=self._clock, options=settings(), max_sleep=self._max_sleep)

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """Do what is due and return the seconds to sleep; never raises, never returns 0 for long."""
        if self._loop is None:
            return self._max_sleep
        if not self._is_adopted:
            self._adopt()
        return self._loop.tick()

    def should_sync(self) -> bool:
        """Return False: nothing is kept in memory that would need it."""
        return False

    def sync(self) -> None:
        """Do nothing: every change is in the database with the claim that made it."""

    def close(self) -> None:
        """Mark, sign off and release the broker; Celery calls this twice."""
        if self._loop is not None:
            self._loop.close()

    def _adopt(self) -> None:
        configured = dict(self.app.conf.beat_schedule or {})
        self._default_entries: dict[str, Any] = {}
        if self.app.conf.result_backend:
            # Celery adds its clean-up of results even where there are none to clean.
            self.install_default_entries(configured)
        entries = {**self._default_entries, **configured}
        fields, unreadable = self._read(entries)
        try:
            name = str(self.app.main or "")
            adoption.adopt(fields, app=name, now=self._clock.now(), unreadable=unreadable)
        except DatabaseFault as error:
            logger.warning("entries of code are not adopted yet: %s", error, extra={"action": "adopt_later"})
            return
        self._is_adopted = True

    def _read(self, entries: Mapping[str, Any]) -> tuple[dict[str, dict[str, object]], list[str]]:
        """Return the entries' fields, and the names of those that are no schedule: code may hold anything."""
        fields: dict[str, dict[str, object]] = {}
        unreadable: list[str] = []
        for name, entry in entries.items():
            try:
                fields[str(name)] = fields_of(str(name), _as_mapping(entry), app=self.app)
            except Exception as error:  # noqa: BLE001 - one bad entry must not stop beat, whatever is wrong with it
                unreadable.append(str(name))
                sentence = (
                    str(error) if isinstance(error, UnknownEntry) else f"{type(error).__name__}: {error}"
                )
                logger.warning("entry %r is not kept: %s", name, sentence, extra={"action": "adopt_refused"})
        return fields, unreadable

    def update_from_dict(self, dict_: dict[str, Any]) -> None:
        """Take Celery's default entries as they are: the base class would build entry objects of its own."""
        self._default_entries.update(dict_)


def _as_mapping(entry: Any) -> Mapping[str, Any]:
    if isinstance(entry, Mapping):
        return entry
    return {
        "task": entry.task,
        "schedule": entry.schedule,
        "args": entry.args,
        "kwargs": entry.kwargs,
        "options": entry.options,
    }
