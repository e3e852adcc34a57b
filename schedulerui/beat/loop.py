"""One beat: claim, publish, mark, recover, sleep. Every beat does the same; there is no leader."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from celery import Celery
from django.db import Error as DatabaseFault

from schedulerui import dispatch
from schedulerui.beat.backoff import Backoff
from schedulerui.beat.heart import Heart
from schedulerui.beat.ports import Ports, real_ports
from schedulerui.beat.signals import held
from schedulerui.clock import Clock
from schedulerui.conf import Settings
from schedulerui.crash import crash_point
from schedulerui.models import Run
from schedulerui.operations import claims, recovery

logger = logging.getLogger(__name__)

ROUND_FOR = 2.0
"""Seconds after which a tick that is still busy goes back to its host, so that a signal or a heartbeat is never late."""
FIRST_BATCH_PART = 10
"""The first claim of a burst takes this part of the largest batch; each further one twice as much."""
IDLE_MIN = 0.005
"""Shortest sleep in seconds: two looks at the same moment bring nothing."""


class Loop:
    """The work of one beat process, hosted by Celery's service loop; ``tick`` never raises."""

    def __init__(
        self,
        *,
        app: Celery,
        clock: Clock,
        options: Settings,
        max_sleep: float,
        ports: Ports | None = None,
    ) -> None:
        self._clock, self._options = clock, options
        opened = ports or real_ports(app, lease=options.DISPATCH_LEASE)
        self._store, self._out, self._session = opened.store, opened.broker, opened.session
        self._resume, self._resume_at = opened.resume, 0.0
        self._max_sleep = max_sleep
        self._producer: Any = None
        self._closed = threading.Event()
        self._is_ticking = False
        self._batch = options.CLAIM_BATCH
        self._unmarked: list[Run] = []
        self._untried: deque[Run] = deque()
        self._sent_at: datetime | None = None
        self._broker, self._database = Backoff(), Backoff()
        self.heart = Heart(clock=clock, every=options.HEARTBEAT_EVERY, store=self._store)

    def tick(self) -> float:
        """Do what is due and return the seconds to sleep, from 0 to ``max_sleep``.

        Raises nothing but SystemExit, after ``close``: Celery closes us from a signal handler in the middle of anything, and
        the exit that its handler raises can get lost in a callback.
        """
        if self._is_closed():
            raise SystemExit(0)
        self._is_ticking = True
        try:
            return self._guarded_round()
        finally:
            self._is_ticking = False
            if self._is_closed():
                self._finish()

    def close(self) -> None:
        """Mark what was sent, sign off and let go of the broker; safe to call twice.

        Called by a signal handler in the middle of a tick it only asks for the end: the database's driver may hold a lock
        that this very thread would wait for. The tick does the rest on its way out.
        """
        self._closed.set()
        if not self._is_ticking:
            self._finish()

    def _finish(self) -> None:
        try:
            self._flush()
            if self._untried:
                self._give_back(list(self._untried), reason="", is_tried=False)
            crash_point("sign_off.before")
            self.heart.stop()
        except DatabaseFault as error:
            logger.warning("could not sign off: %s", error, extra={"action": "sign_off_failed"})
        self._drop_producer()

    def _guarded_round(self) -> float:
        try:
            wait = self._round()
        except DatabaseFault as error:
            if self._database.is_news(self._clock.monotonic()):
                logger.warning("the database does not answer: %s", error, extra={"action": "database_away"})
            self.heart.degrade(f"database: {error}")
            self._session.drop()
            return self._database.grow()
        except Exception as error:
            if self._database.is_news(self._clock.monotonic()):
                logger.exception("a tick failed", extra={"action": "tick_failed"})
            self.heart.degrade(f"{type(error).__name__}: {error}")
            return self._database.grow()
        if self._database.wait and not self._broker.wait:
            self.heart.recover()
        self._database.reset()
        return max(min(wait, self._max_sleep), 0.0)

    def _round(self) -> float:
        # The connection is kept: CONN_MAX_AGE is about requests, and a broken one is closed when it raises.
        self._session.tell()
        self._flush()
        started = self._clock.monotonic()
        self._batch = max(self._options.CLAIM_BATCH // FIRST_BATCH_PART, 1)
        while True:
            # The deadline of what is claimed as of ``now`` counts from here: a process may be frozen after any instruction.
            began = self._clock.monotonic()
            now = self._clock.now()
            self.heart.beat(now)
            self._resume_due(now)
            due_at, lease_until = claims.next_wake(now, store=self._store)
            is_due = due_at is not None and due_at <= now
            is_abandoned = lease_until is not None and lease_until < now
            if not (is_due or is_abandoned):
                return self._until(now, due_at, lease_until)
            if not self._connect():
                return self._broker.grow()
            worked = self._work(now, began=began, is_due=is_due, is_abandoned=is_abandoned)
            if self._producer is None:
                return self._broker.grow()
            if not worked:
                return IDLE_MIN * 10
            self._batch = min(self._batch * 2, self._options.CLAIM_BATCH)
            if self._is_closed() or self._clock.monotonic() - started > ROUND_FOR:
                return 0.0

    def _resume_due(self, now: datetime) -> None:
        """Switch on what was paused until now; asked when the next known pause ends, and with each heartbeat for new ones."""
        moment = self._clock.monotonic()
        if moment >= self._resume_at:
            _resumed, ends_at = self._resume(now)
            every = self._options.HEARTBEAT_EVERY
            wait = every if ends_at is None else min((ends_at - now).total_seconds(), every)
            self._resume_at = moment + wait

    def _work(self, now: datetime, *, began: float, is_due: bool, is_abandoned: bool) -> int:
        worked = 0
        if is_abandoned:
            worked += self._claim_and_publish(
                now,
                lambda lease: recovery.recover(
                    lease=lease,
                    now=now,
                    limit=self._batch,
                    manual_within=timedelta(seconds=self._options.MANUAL_SEND_WITHIN),
                    store=self._store,
                ),
                began=began,
            )
        # After a recovery the time has gone on: what is due is claimed in the next turn, as of a time read anew.
        if is_due and not worked and self._producer is not None:
            worked += self._claim_and_publish(
                now,
                lambda lease: claims.claim_due(
                    lease=lease,
                    now=now,
                    limit=self._batch,
                    touch=lambda: self.heart.touch(now),
                    store=self._store,
                ),
                began=began,
            )
        return worked

    def _claim_and_publish(
        self, now: datetime, take: Callable[[claims.Lease], claims.Claim], *, began: float
    ) -> int:
        # The deadline runs from before the claim and on a clock that cannot be set: a process that was frozen must not
        # publish what another one has taken over meanwhile.
        lease = claims.Lease(
            owner=self.heart.name, until=now + timedelta(seconds=self._options.DISPATCH_LEASE)
        )
        claim = take(lease)
        if claim.oldest_due_at is not None:
            self.heart.lag((now - claim.oldest_due_at).total_seconds())
        self._publish(list(claim.runs), now=now, started=began)
        return len(claim.runs) + claim.n_schedules + claim.n_quarantined

    def _publish(self, claimed: list[Run], *, now: datetime, started: float) -> None:
        """Publish and mark; ``now`` was the moment when the monotonic clock stood at ``started``."""
        deadline, self._sent_at = started + self._options.DISPATCH_LEASE / 2, now
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
            # Counted on from the claim's reading: asking the database for the time would be a query for each message.
            self._sent_at = now + timedelta(seconds=self._clock.monotonic() - started)
            if self._clock.monotonic() - marked_at > self._options.MARK_EVERY:
                self._flush()
                marked_at = self._clock.monotonic()
        self._flush()

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
        self.heart.count()
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

    def _is_closed(self) -> bool:
        """Ask anew each time: a signal handler closes us between any two instructions."""
        return self._closed.is_set()

    def _drop_producer(self) -> None:
        if self._producer is not None:
            self._out.disconnect(self._producer)
            self._producer = None

    def _until(self, now: datetime, *moments: datetime | None) -> float:
        waits = [(moment - now).total_seconds() for moment in moments if moment is not None]
        return max(min([self._max_sleep, *waits]), IDLE_MIN)
