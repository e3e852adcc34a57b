"""The monitor's steps about alerts: look, flip, tell. ``courier`` sends."""

from __future__ import annotations

from datetime import datetime, timedelta

from schedulerui.conf import settings
from schedulerui.monitor import channels
from schedulerui.operations import alerts, notifications, outages, silences, troubles
from schedulerui.operations.outages import QueueOf
from schedulerui.operations.troubles import Findings


class Lasting:
    """Passes on only what lasted: a restart takes a few seconds and is no alarm. What has been an alert stays one."""

    def __init__(self) -> None:
        self._first_seen: dict[str, datetime] = {}

    def of(self, findings: Findings, *, now: datetime) -> Findings:
        """Return the findings without those first seen less than ``ALERT_AFTER`` seconds ago."""
        found = troubles.subjects(findings.troubles)
        self._first_seen = {key: self._first_seen.get(key, now) for key in found}
        lasting = now - timedelta(seconds=settings().ALERT_AFTER)
        kept = tuple(trouble for trouble in findings.troubles if self._first_seen[trouble.key] <= lasting)
        # What is not kept may stand as an alert already: it must not be called recovered because it is young to us.
        return Findings(troubles=kept, is_complete=findings.is_complete and len(kept) == len(found))


class Alarms:
    """One monitor's memory of what it has seen, and its steps."""

    def __init__(self, *, queue_of: QueueOf) -> None:
        self._beats, self._queues = Lasting(), Lasting()
        self._queue_of = queue_of

    def look_at_schedules(self, now: datetime) -> int:
        """Flip what has changed about schedules."""
        return alerts.observe(troubles.of_schedules(now=now), kind="schedule", now=now)

    def look_at_processes(self, now: datetime) -> int:
        """Flip what has changed about beats and queues."""
        beats = self._beats.of(outages.of_beats(now=now), now=now)
        queues = self._queues.of(outages.of_queues(queue_of=self._queue_of, now=now), now=now)
        return alerts.observe(beats, kind="beat", now=now) + alerts.observe(queues, kind="queue", now=now)

    def tell(self, now: datetime) -> int:
        """Write what people are to be told into the outbox."""
        configured = list(channels.names(settings().ALERTS))
        n_told = alerts.tell(channels=configured, now=now) + alerts.remind(channels=configured, now=now)
        if settings().PING_URLS:
            n_told += notifications.note_pings(settings().PING_URLS, now=now)
        return n_told


def purge(now: datetime) -> int:
    """Delete old messages and windows."""
    return notifications.purge(now=now) + silences.purge(now=now)
