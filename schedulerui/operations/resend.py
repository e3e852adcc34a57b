"""Hand a run's message to the broker once more, after the broker has lost it: same row, same task id."""

from __future__ import annotations

import logging
from datetime import datetime

from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _

from schedulerui import dispatch
from schedulerui.facts import Actor, RunState, Trigger
from schedulerui.models import Run
from schedulerui.operations import audit, part_messages
from schedulerui.operations.errors import OperationError
from schedulerui.operations.runs import Publish, Queued, publish_from_here

logger = logging.getLogger(__name__)


class NotResendable(OperationError):
    """The run is not one that waits for a worker, or somebody was faster."""


def resend(
    run_id: int, *, publishes: int, actor: Actor, now: datetime, publish: Publish | None = None
) -> Queued:
    """Send a run again that was sent and that no worker has received; whether it should be is the caller's to know.

    ``publishes`` is the count that was read with the row: asking twice with the same one sends once. The count is committed
    before the message goes, so that a click can never send two. Raises Run.DoesNotExist and NotResendable. Must not be called
    inside a transaction. A broker that does not answer is told in the answer; the run stays as it is, and may be sent again.
    """
    run = _begin(run_id, publishes=publishes, actor=actor, now=now)
    try:
        (publish or publish_from_here)(run)
    except dispatch.DispatchError as error:
        logger.warning(
            "run %s was not sent again", run.uuid, extra={"action": "resend_failed", "run": str(run.uuid)}
        )
        return Queued(run=run, created=False, sent=False, reason=str(error))
    # The moment from which its pick-up is awaited; a worker that was faster keeps its later state.
    Run.objects.filter(pk=run.pk, state=run.state).update(sent_at=now, reason="")
    run.refresh_from_db()
    return Queued(run=run, created=False, sent=True)


def may_be_resent(run: Run) -> bool:
    """Return whether the row has all that a message needs and waits for a worker; of a canvas, whether a part does."""
    if run.trigger == Trigger.TASK or not run.task_id:
        return False
    return run.state == RunState.SENT or bool(run.canvas and part_messages.may_be_resent(run))


def _begin(run_id: int, *, publishes: int, actor: Actor, now: datetime) -> Run:
    with transaction.atomic():
        run = Run.objects.select_related("schedule").get(pk=run_id)
        if not may_be_resent(run):
            raise NotResendable(_("This run does not wait for a worker, so it is not sent again."))
        mine = Run.objects.filter(pk=run_id, state=run.state, publishes=publishes)
        if not mine.update(publishes=F("publishes") + 1):
            raise NotResendable(_("Somebody has just sent this run again."))
        audit.record_for_run(run, action="resend", actor=actor, now=now)
        run.publishes = publishes + 1
    return run
