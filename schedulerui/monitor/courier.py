"""Sending what is in the outbox, in a thread of its own: somebody else's slow server keeps no monitor from its watch."""

from __future__ import annotations

import logging
import threading
from datetime import datetime

from django.db import DEFAULT_DB_ALIAS, connections

from schedulerui import clock
from schedulerui.conf import settings
from schedulerui.monitor import channels
from schedulerui.operations import notifications

logger = logging.getLogger(__name__)


class Courier:
    """Takes one message after the other from the outbox until it is told to stop; no outage ends it."""

    def __init__(self, watch: clock.Clock) -> None:
        self._watch = watch
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="schedulerui-courier", daemon=True)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def stop(self, *, within: float = channels.TIMEOUT + 1) -> None:
        """Stop sending; what is under way is waited for."""
        self._stopping.set()
        self._thread.join(within)

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                if not self._carry():
                    self._stopping.wait(settings().MONITOR_EVERY)
        finally:
            connections[DEFAULT_DB_ALIAS].close()

    def _carry(self) -> bool:
        """Send one message; return whether there was one."""
        try:
            connections[DEFAULT_DB_ALIAS].close_if_unusable_or_obsolete()
            return send(self._watch.now(), limit=1) > 0
        except Exception:
            logger.exception("sending messages failed", extra={"action": "courier_error"})
            connections[DEFAULT_DB_ALIAS].close()
            return False


def send(now: datetime, *, limit: int = 5) -> int:
    """Send what is in the outbox; return how many messages were handled. One that fails is tried again later."""
    claimed = notifications.claim(now=now, limit=limit)
    for notification in claimed:
        if notifications.is_overtaken(notification):
            notifications.give_up(notification, error=notifications.OVERTAKEN)
            continue
        try:
            channels.deliver(notification)
        except channels.ChannelGone:
            notifications.give_up(notification, error=notifications.GONE)
        except channels.ChannelError as error:
            logger.warning(
                "a message by %s was not taken: %s",
                notification.channel,
                error,
                extra={"action": "alert_refused"},
            )
            notifications.refused(notification, error=str(error), now=now)
        except Exception as error:
            # As by a channel that the settings describe wrongly: without an end to its tries it would be tried for ever.
            logger.exception("a message cannot be sent", extra={"action": "courier_error"})
            notifications.refused(notification, error=f"It cannot be sent: {type(error).__name__}.", now=now)
        else:
            notifications.delivered(notification, now=now)
    return len(claimed)
