"""What a beat reaches the world through: its store, its broker, its database session. The simulation puts in its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from celery import Celery
from django.db import connections

from schedulerui import dispatch
from schedulerui.beat.sessions import Sessions
from schedulerui.models import Run
from schedulerui.operations import pauses
from schedulerui.operations.store import DJANGO, Store


class Broker(Protocol):
    """The way out."""

    def connect(self) -> Any:
        """Return a connected producer; raises dispatch.BrokerUnavailable."""

    def publish(self, run: Run, *, producer: Any) -> bool:
        """Prepare one run's message; returns whether it waits for ``flush``, False when the broker has taken it already.

        Raises dispatch.BrokerUnavailable or dispatch.Unsendable.
        """

    def flush(self, *, producer: Any) -> None:
        """Hand over what waits, once; raises dispatch.NotAllTaken."""

    def forget(self, *, producer: Any) -> None:
        """Drop what waits."""

    def disconnect(self, producer: Any) -> None:
        """Let go of a producer, broken or not."""


class Session(Protocol):
    """The connection to the database."""

    def tell(self) -> None:
        """Prepare a new connection; raises django.db.Error."""

    def drop(self) -> None:
        """Close what is broken; the next statement connects anew."""


class CeleryBroker:
    """The broker of a Celery application."""

    def __init__(self, app: Celery) -> None:
        self._app = app

    def connect(self) -> Any:
        return dispatch.open_producer(self._app)

    def publish(self, run: Run, *, producer: Any) -> bool:
        return dispatch.collect(run, producer=producer, celery_app=self._app)

    def flush(self, *, producer: Any) -> None:
        dispatch.flush(producer)

    def forget(self, *, producer: Any) -> None:
        dispatch.forget(producer)

    def disconnect(self, producer: Any) -> None:
        dispatch.close_producer(producer)


class DjangoSession:
    """Django's connections of this thread."""

    def __init__(self, *, idle: float) -> None:
        self._sessions = Sessions(idle=idle)

    def tell(self) -> None:
        self._sessions.tell()

    def drop(self) -> None:
        connections.close_all()


def resume_none(_now: datetime) -> tuple[int, datetime | None]:
    """Resume nothing: of a world without pauses."""
    return 0, None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """All three, and what switches on the schedules whose pause has ended."""

    store: Store
    broker: Broker
    session: Session
    resume: Callable[[datetime], tuple[int, datetime | None]] = resume_none


def real_ports(app: Celery, *, lease: float) -> Ports:
    """Return the ports of a real beat; ``lease`` is in seconds, half of which a transaction may stand still."""
    return Ports(
        store=DJANGO,
        broker=CeleryBroker(app),
        session=DjangoSession(idle=lease / 2),
        resume=pauses.resume_due,
    )
