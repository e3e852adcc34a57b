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
from schedulerui.beat.suspects import Suspects
from schedulerui.clock import Clock
from schedulerui.conf import Settings
from schedulerui.crash import crash_point
from schedulerui.models import Run
from schedulerui.operations import recovery
from schedulerui.operations.store import Store

logger = logging.getLogger(__name__)

BATCH_MAX = 250
"""Most messages that go to the broker at once, and so the most that a failure in the wrong moment sends again."""


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
        self._n_collected = 0
        """How many of the untried wait in the batch: they have not left this process."""
        self._sent_at: datetime | None = None
        self._broker = Backoff()
        self._suspects, self._n_sent = Suspects(), 0

    def _publish(self, claimed: list[Run], *, now: datetime, started: float) -> None:
        """Publish and mark; ``now`` was the moment when the monotonic clock stood at ``started``."""
        self._sent_at, self._claimed_at = now, (now, started)
        if self._suspects:  # what has failed before goes last, and each by itself
            claimed = sorted(claimed, key=lambda run: run.pk in self._suspects)
        self._untried = deque(claimed)
        self._forget()  # what an error has left there
        while self._untried:
            try:
                # A signal's exit between the messages and the note of them would send them again.
                with held():
                    goes_on = self._send_batch(started + self._options.DISPATCH_LEASE / 2)
            except dispatch.NotAllTaken as error:
                if self._goes_on_without(error):
                    continue
                break
            except dispatch.BrokerUnavailable as error:
                if self._goes_on_after(str(error)):
                    continue
                break
            if not goes_on:
                self._give_back(self._take_untried(), reason="", is_tried=False)
                break
            self._flush()
        self._flush()

    def _send_batch(self, deadline: float) -> bool:
        """Send what can be prepared in MARK_EVERY seconds; returns False when no more is to be sent.

        Nothing goes after the ``deadline``, which is looked at before each message and again before the batch goes: whatever
        stopped this process meanwhile, others may own the runs by then. Raises dispatch.BrokerUnavailable.
        """
        self._n_collected = 0
        began = self._clock.monotonic()
        while self._n_collected < len(self._untried):
            moment = self._clock.monotonic()
            if moment > deadline:
                return self._refuse_late()
            if moment - began > self._options.MARK_EVERY or self._is_full():
                break
            if not self._send(self._untried[self._n_collected]):
                self._forget()
                return False
        if self._n_collected:
            if self._clock.monotonic() > deadline:
                return self._refuse_late()
            if self._producer is None or self._is_closed():
                self._forget()
                return False
            self._out.flush(producer=self._producer)
            self._note(self._n_collected)
        return True

    def _is_full(self) -> bool:
        """Whether the next of the untried must wait for another batch; one that failed before has its own."""
        n = self._n_collected
        return n >= BATCH_MAX or bool(n and self._suspects and self._untried[n].pk in self._suspects)

    def _refuse_late(self) -> bool:
        logger.warning("the lease ended before the work", extra={"action": "lease_ended"})
        self._forget()
        return False

    def _send(self, run: Run) -> bool:
        """Publish one run or add it to the batch; returns False when this beat is being closed. Raises BrokerUnavailable."""
        if self._producer is None or self._is_closed():
            return False
        try:
            crash_point("publish.before")
            if self._out.publish(run, producer=self._producer):
                self._n_collected += 1
                return True
        except dispatch.Unsendable as error:
            if self._is_closed():
                return False  # the connection was closed under it: this says nothing about the run
            logger.warning("run %s cannot be sent: %s", run.uuid, error, extra={"action": "unsendable"})
            del self._untried[self._n_collected]
            self._store.mark_unsent(run, reason=str(error), now=self._clock.now())
            return True
        self._note(1, after=self._n_collected)
        return True

    def _note(self, n: int, *, after: int = 0) -> None:
        """Note that the broker has taken ``n`` of the untried, those after the first ``after``."""
        self._untried.rotate(-after)
        self._sent_at, self._n_sent = self._moment(), self._n_sent + n
        for _ in range(n):
            run = self._untried.popleft()
            crash_point("publish.after")
            self._unmarked.append(run)
            self._suspects.forget(run.pk)
            self.heart.count(late=(self._sent_at - run.due_at).total_seconds())
        self._untried.rotate(after)
        self._n_collected = after

    def _moment(self) -> datetime:
        """Counted on from the claim's reading: asking the database for the time would be a query for each message."""
        now, started = self._claimed_at
        return now + timedelta(seconds=self._clock.monotonic() - started)

    def _take_untried(self) -> list[Run]:
        left, self._untried = list(self._untried), deque()
        self._n_collected = 0
        return left

    def _forget(self) -> None:
        """Let what was collected count as not tried: it has not left this process."""
        self._n_collected = 0
        if self._producer is not None:
            self._out.forget(producer=self._producer)

    def _goes_on_without(self, error: dispatch.NotAllTaken) -> bool:
        """Do without what the broker did not take of a batch; returns whether the others may go on.

        They do when it was one by itself that had failed before. All that failed go by themselves from now on, so that one that
        breaks the connection, or whose queue takes nothing, is told apart.
        """
        batch = [self._untried.popleft() for _ in range(self._n_collected)]
        is_alone = len(batch) == 1 and batch[0].pk in self._suspects
        left = self._take_untried()
        lost = error.refused | error.in_doubt
        self._untried.extend(run for place, run in enumerate(batch) if place not in lost)
        self._note(len(self._untried))
        self.heart.degrade(f"broker: {error}")
        self._drop_producer()
        for place in sorted(lost):
            self._suspects.blame(batch[place].pk, n_sent=self._n_sent)
        in_doubt = [run for place, run in enumerate(batch) if place in error.in_doubt]
        refused = [run for place, run in enumerate(batch) if place in error.refused]
        self._put_off(in_doubt, reason=str(error), is_tried=True)
        self._put_off(refused, reason=str(error), is_tried=False)
        if is_alone and self._connect():
            self._untried = deque(left)
            return True
        self._give_back(left, reason=str(error), is_tried=False)
        return False

    def _put_off(self, failed: list[Run], *, reason: str, is_tried: bool) -> None:
        """Give back what the broker did not take, each as long as it should wait; give up what others go without."""
        waits: dict[float, list[Run]] = {}
        for run in failed:
            if self._suspects.is_guilty(run.pk):
                self._give_up(run, reason, is_in_doubt=is_tried)
            else:
                waits.setdefault(self._suspects.patience(run.pk), []).append(run)
        for wait, runs in waits.items():
            self._give_back(runs, reason=reason, is_tried=is_tried, wait=wait)

    def _give_up(self, run: Run, reason: str, *, is_in_doubt: bool) -> None:
        self._suspects.forget(run.pk)
        told = f"the broker takes others: {reason}"
        self._store.mark_unsent(run, reason=told, now=self._clock.now(), is_in_doubt=is_in_doubt)

    def _goes_on_after(self, reason: str) -> bool:
        """Do without a message that failed as if the broker were away; returns whether the others may go on."""
        run = self._untried[self._n_collected]
        is_suspect = run.pk in self._suspects
        self._suspects.blame(run.pk, n_sent=self._n_sent)
        if not is_suspect:
            self._lose_broker(reason)
            return False
        del self._untried[self._n_collected]  # nothing is collected: it went by itself
        self._drop_producer()
        logger.warning("run %s failed again: %s", run.uuid, reason, extra={"action": "failed_again"})
        if self._suspects.is_guilty(run.pk):
            self._give_up(run, reason, is_in_doubt=True)
        else:
            self._give_back([run], reason=reason, is_tried=True, wait=self._suspects.wait(run.pk))
        if self._connect():
            return True
        self._give_back(self._take_untried(), reason=reason, is_tried=False)
        return False

    def _lose_broker(self, reason: str) -> None:
        """Let go of a broker that failed over one message: whether it took that one nobody knows, the others did not go."""
        place, left = self._n_collected, self._take_untried()
        self.heart.degrade(f"broker: {reason}")
        self._drop_producer()
        self._give_back(left[place : place + 1], reason=reason, is_tried=True)
        self._give_back(left[:place] + left[place + 1 :], reason=reason, is_tried=False)

    def _give_back(self, left: list[Run], *, reason: str, is_tried: bool, wait: float = 0.0) -> None:
        if not left:
            return
        now = self._clock.now() + timedelta(seconds=wait)
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
