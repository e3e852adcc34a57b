"""What a beat does with runs that it has claimed: publish, mark, and give back what it did not send."""

from __future__ import annotations

import logging
import threading
from collections import deque
from datetime import datetime, timedelta
from typing import Any

from schedulerui import dispatch
from schedulerui.beat.backoff import Backoff
from schedulerui.beat.heart import Heart
from schedulerui.beat.ports import Broker
from schedulerui.beat.signals import held
from schedulerui.clock import Clock
from schedulerui.conf import Settings
from schedulerui.crash import crash_point
from schedulerui.models import Run
from schedulerui.operations import recovery
from schedulerui.operations.store import Store

logger = logging.getLogger(__name__)


class Sender:
    """The half of a beat's loop that talks to the broker."""

    heart: Heart
    _claimed_at: tuple[datetime, float]
    """The claim's moment, and where the monotonic clock stood then."""

    def __init__(self, *, clock: Clock, options: Settings, store: Store, out: Broker) -> None:
        self._clock, self._options = clock, options
        self._store, self._out = store, out
        self._producer: Any = None
        self._closed = threading.Event()
        self._unmarked: list[Run] = []
        self._untried: deque[Run] = deque()
        self._sent_at: datetime | None = None
        self._broker = Backoff()

    def _publish(self, claimed: list[Run], *, now: datetime, started: float) -> None:
        """Publish and mark; ``now`` was the moment when the monotonic clock stood at ``started``."""
        deadline, self._sent_at = started + self._options.DISPATCH_LEASE / 2, now
        self._claimed_at = now, started
        marked_at, self._untried = self._clock.monotonic(), deque(claimed)
        while self._untried:
            if self._clock.monotonic() > deadline:
                logger.warning("the lease ended before the work", extra={"action": "lease_ended"})
                self._give_back(self._take_untried(), reason="", is_tried=False)
                break
            try:
                if not self._send(self._untried[0]):
                    self._give_back(self._take_untried(), reason="", is_tried=False)
                    break
            except dispatch.BrokerUnavailable as error:
                self._lose_broker(self._take_untried(), reason=str(error))
                break
            self._sent_at = self._moment()
            if self._clock.monotonic() - marked_at > self._options.MARK_EVERY:
                self._flush()
                marked_at = self._clock.monotonic()
        self._flush()

    def _moment(self) -> datetime:
        """Counted on from the claim's reading: asking the database for the time would be a query for each message."""
        now, started = self._claimed_at
        return now + timedelta(seconds=self._clock.monotonic() - started)

    def _take_untried(self) -> list[Run]:
        left, self._untried = list(self._untried), deque()
        return left

    def _lose_broker(self, left: list[Run], *, reason: str) -> None:
        """Let go of a broker that did not take the first of ``left``, and give all of them back."""
        self.heart.degrade(f"broker: {reason}")
        self._drop_producer()
        self._give_back(left[:1], reason=reason, is_tried=True)
        self._give_back(left[1:], reason=reason, is_tried=False)

    def _send(self, run: Run) -> bool:
        """Publish one run; returns False when this beat is being closed. Raises dispatch.BrokerUnavailable."""
        if self._producer is None or self._is_closed():
            return False
        try:
            crash_point("publish.before")
            # A signal's exit between the message and the note of it would send the message again.
            with held():
                self._out.publish(run, producer=self._producer)
                crash_point("publish.after")
                self._unmarked.append(self._untried.popleft())
        except dispatch.Unsendable as error:
            if self._is_closed():
                return False  # the connection was closed under it: this says nothing about the run
            logger.warning("run %s cannot be sent: %s", run.uuid, error, extra={"action": "unsendable"})
            self._store.mark_unsent(self._untried.popleft(), reason=str(error), now=self._clock.now())
            return True
        self.heart.count(late=(self._moment() - run.due_at).total_seconds())
        return True

    def _give_back(self, left: list[Run], *, reason: str, is_tried: bool) -> None:
        now = self._clock.now()
        crash_point("give_back.before")
        recovery.release(
            left, owner=self.heart.name, now=now, reason=reason, is_tried=is_tried, store=self._store
        )
        crash_point("give_back.after")

    def _flush(self) -> None:
        """Mark what was sent. Kept in memory until the database has taken it: it must not be sent again."""
        if not self._unmarked or self._sent_at is None:
            return
        crash_point("mark.before")
        self._store.mark_sent(self._unmarked, sent_at=self._sent_at)
        crash_point("mark.after")
        self._unmarked.clear()

    def _connect(self) -> bool:
        if self._producer is None:
            try:
                self._producer = self._out.connect()
            except dispatch.BrokerUnavailable as error:
                if self._broker.is_news(self._clock.monotonic()):
                    logger.warning("the broker does not answer: %s", error, extra={"action": "broker_away"})
                self.heart.degrade(f"broker: {error}")
                return False
            self._broker.reset()
            self.heart.recover()
        return True

    def _drop_producer(self) -> None:
        if self._producer is not None:
            self._out.disconnect(self._producer)
            self._producer = None

    def _is_closed(self) -> bool:
        """Ask anew each time: a signal handler closes us between any two instructions."""
        return self._closed.is_set()
