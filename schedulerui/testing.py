"""For the tests of hosts and our own: a clock that is set by hand and a dispatcher that remembers instead of sending."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from unittest import mock

from celery import Celery
from kombu import Producer

from schedulerui import dispatch, remote
from schedulerui.models import Run

DULL_WEDNESDAY = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
"""A noon without any clock change near it, in any zone."""


class FrozenClock:
    """A clock that stands still until it is shifted; wall time and monotonic time move together unless told otherwise."""

    def __init__(self, moment: datetime = DULL_WEDNESDAY) -> None:
        self._now, self._monotonic = moment, 1_000.0

    def now(self) -> datetime:
        """Return the moment it stands at, UTC."""
        return self._now

    def monotonic(self) -> float:
        """Return seconds that only ``shift`` moves."""
        return self._monotonic

    def shift(self, **duration: float) -> datetime:
        """Let time pass, ``shift(seconds=5)``, and return the new moment."""
        step = timedelta(**duration)
        self._monotonic += step.total_seconds()
        self._now += step
        return self._now

    def set_wall(self, moment: datetime) -> None:
        """Set the wall clock as an operator or NTP would: monotonic time does not notice."""
        self._now = moment


class Outbox:
    """What was published instead of being sent; ``broken`` makes every publish fail like a broker that is down."""

    def __init__(self) -> None:
        self.sent: list[Run] = []
        self.broken: dispatch.DispatchError | None = None

    @property
    def task_ids(self) -> list[str]:
        """Return the task ids in the order of publishing."""
        return [str(run.task_id) for run in self.sent]

    def publish(
        self, run: Run, *, producer: Producer | None = None, celery_app: Celery | None = None
    ) -> None:
        """Stand in for ``dispatch.publish``; raises what ``broken`` holds."""
        if self.broken is not None:
            raise self.broken
        self.sent.append(run)


@contextmanager
def recording() -> Iterator[Outbox]:
    """Replace the way to the broker: nothing connects, and every published run is in the outbox that this gives.

    Workers hear nothing and answer nothing.
    """
    outbox = Outbox()

    def open_producer(celery_app: Celery) -> mock.Mock:
        if isinstance(outbox.broken, dispatch.BrokerUnavailable):
            raise outbox.broken
        return mock.Mock(spec=Producer)

    with (
        mock.patch.object(dispatch, "publish", outbox.publish),
        mock.patch.object(dispatch, "open_producer", open_producer),
        mock.patch.object(dispatch, "close_producer", mock.Mock()),
        mock.patch.object(remote, "_broadcast", mock.Mock(return_value=None)),
    ):
        yield outbox
