"""One beat: claim, publish, mark, recover, sleep. Every beat does the same; there is no leader."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from celery import Celery
from django.db import Error as DatabaseFault

from schedulerui.beat.backoff import Backoff
from schedulerui.beat.heart import Heart
from schedulerui.beat.ports import Ports, real_ports
from schedulerui.beat.sending import Sender
from schedulerui.beat.steady import SteadyClock
from schedulerui.clock import Clock
from schedulerui.conf import Settings
from schedulerui.crash import crash_point
from schedulerui.operations import claims, recovery

logger = logging.getLogger(__name__)

ROUND_FOR = 2.0
"""Seconds after which a tick that is still busy goes back to its host, so that a signal or a heartbeat is never late."""
FIRST_BATCH_PART = 10
"""The first claim of a burst takes this part of a batch, so that its first message goes soon."""
PROMOTE_EVERY = 0.5
"""Seconds between two looks at runs that wait for the end of another one."""
IDLE_MIN = 0.005
"""Shortest sleep in seconds: two looks at the same moment bring nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What there is to do at a moment, and when there will be more."""

    now: datetime
    steady: datetime
    """The moment for intervals: ahead of ``now`` while the clock is behind what it was."""
    is_due: bool
    is_abandoned: bool
    is_waiting: bool
    is_interval_due: bool
    moments: tuple[datetime | None, ...]

    @property
    def has_work(self) -> bool:
        """Whether anything is to be done now."""
        return self.is_due or self.is_abandoned or self.is_waiting or self.is_interval_due


class Loop(Sender):
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
        opened = ports or real_ports(app, lease=options.DISPATCH_LEASE)
        super().__init__(clock=clock, options=options, store=opened.store, out=opened.broker)
        self._session = opened.session
        self._resume, self._resume_at = opened.resume, 0.0
        self._max_sleep, self._promote_at = max_sleep, 0.0
        self._steady: SteadyClock | None = None
        self._is_ticking = False
        self._batch = options.CLAIM_BATCH
        self._database = Backoff()
        self.heart = Heart(
            clock=clock, every=options.HEARTBEAT_EVERY, store=self._store, app=str(app.main or "")
        )

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
            look = self._look(began=began)
            if not look.has_work:
                return self._until(look.now, *look.moments)
            if not self._connect():
                return self._broker.grow()
            worked = self._work(look, began=began)
            if self._producer is None:
                return self._broker.grow()
            if not worked:
                return IDLE_MIN * 10
            self._batch = self._options.CLAIM_BATCH
            if self._is_closed() or self._clock.monotonic() - started > ROUND_FOR:
                return 0.0

    def _look(self, *, began: float) -> Look:
        """Ask for the time and what there is to do, in one statement or in two while the clock is behind itself.

        Says that this beat lives, too.
        """
        wake = claims.next_wake(self._clock, store=self._store)
        now = wake.now
        steady = self._steady_now(now, began)
        self.heart.reached(steady)
        self.heart.beat(now)
        if self._resume_due(now):
            wake = claims.next_wake(self._clock, store=self._store)
            now = wake.now  # what is judged by it was read with it: the clock may have been set meanwhile
        due_at, waiting_at = wake.due_at, wake.waiting_at
        interval_at = self._store.first_interval_due() if steady > now else None
        is_waiting = waiting_at is not None and waiting_at <= steady
        moments: list[datetime | None] = [due_at, wake.lease_until]
        if is_waiting:
            moments.append(now + timedelta(seconds=max(self._promote_at - began, 0.0)))
        else:
            moments.append(waiting_at)
        if interval_at is not None:
            moments.append(now + (interval_at - steady))
        return Look(
            now=now,
            steady=steady,
            is_due=due_at is not None and due_at <= now,
            is_abandoned=wake.lease_until is not None and wake.lease_until < now,
            is_waiting=is_waiting and began >= self._promote_at,
            is_interval_due=interval_at is not None and interval_at <= steady,
            moments=tuple(moments),
        )

    def _steady_now(self, now: datetime, began: float) -> datetime:
        if self._steady is None:
            self._steady = SteadyClock()
            self._steady.remember(self._store.furthest_clock(), now=now, monotonic=began)
        steady = self._steady.read(now, monotonic=began)
        if self._steady.step:
            self.heart.stepped(self._steady.step)
        return steady

    def _resume_due(self, now: datetime) -> int:
        """Switch on what was paused until now, and return how many that were.

        Asked when the next known pause ends, and with each heartbeat for new ones.
        """
        moment = self._clock.monotonic()
        if moment < self._resume_at:
            return 0
        resumed, ends_at = self._resume(now)
        every = self._options.HEARTBEAT_EVERY
        wait = every if ends_at is None else min((ends_at - now).total_seconds(), every)
        self._resume_at = moment + wait
        return resumed

    def _work(self, look: Look, *, began: float) -> int:
        now, worked = look.now, 0
        if look.is_abandoned:
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
        if look.is_due and not worked and self._producer is not None:
            worked += self._claim(now, of=now, of_intervals=False, began=began)
        if look.is_interval_due and not worked and self._producer is not None:
            worked += self._claim(now, of=look.steady, of_intervals=True, began=began)
        if look.is_waiting and not worked and self._producer is not None:
            self._promote_at = began + PROMOTE_EVERY
            worked += self._promote(now, began=began)
        return worked

    def _claim(self, now: datetime, *, of: datetime, of_intervals: bool, began: float) -> int:
        """Claim what is due at the moment ``of``; the lease runs from ``now``, on the wall that all beats share."""
        return self._claim_and_publish(
            now,
            lambda lease: claims.claim_due(
                lease=lease,
                now=of,
                limit=self._batch,
                touch=lambda: self.heart.touch(now),
                store=self._store,
                of_intervals=of_intervals,
            ),
            began=began,
        )

    def _promote(self, now: datetime, *, began: float) -> int:
        queued_since = now - timedelta(seconds=self._options.STALE_QUEUED_AFTER)
        return self._claim_and_publish(
            now,
            lambda lease: recovery.promote(
                lease=lease,
                now=now,
                limit=self._options.CLAIM_BATCH,
                queued_since=queued_since,
                store=self._store,
            ),
            began=began,
        )

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

    def _until(self, now: datetime, *moments: datetime | None) -> float:
        waits = [(moment - now).total_seconds() for moment in moments if moment is not None]
        return max(min([self._max_sleep, *waits]), IDLE_MIN)
