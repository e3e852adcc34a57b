"""Runs that a person asks for with values of their own, and runs that are run again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from schedulerui.facts import DECIDED, FINISHED, Actor, RunState
from schedulerui.models import Run, Schedule
from schedulerui.operations import runs
from schedulerui.operations.errors import OperationError
from schedulerui.operations.runs import Publish, Queued


class NotRerunnable(OperationError):
    """The run has not ended yet, or there is nothing left to run it from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Values:
    """What a person changed: arguments, and the queue ("" leaves it to the app's routes)."""

    args: list[Any]
    kwargs: dict[str, Any]
    queue: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Click:
    """Who asks for a run and when (UTC); the same ``token`` is the same run."""

    token: str
    actor: Actor
    now: datetime
    even_if_running: bool = False
    """Go at once, although runs of the schedule must not overlap and one is active."""

    def asked(self, action: str) -> runs.Asked:
        """Return it as the audit is to name it."""
        return runs.Asked(action=action, actor=self.actor, now=self.now, waits=not self.even_if_running)


def run_custom(schedule_id: int, values: Values, *, click: Click, publish: Publish | None = None) -> Queued:
    """Run a schedule once with other values; the schedule keeps its own. Raises Schedule.DoesNotExist.

    The same promises as ``runs.run_now``: one run for one token, committed before it is published, and none beside an active one
    of a schedule whose runs must not overlap, unless the click says so.
    """
    schedule = Schedule.objects.get(pk=schedule_id)
    run = runs.manual_run(schedule, token=click.token, actor=click.actor, now=click.now)
    _apply(run, values)
    return runs.start(run, schedule=schedule, asked=click.asked("run_custom"), publish=publish)


def run_again(
    run_id: int, *, click: Click, values: Values | None = None, publish: Publish | None = None
) -> Queued:
    """Run what a finished run was, once more, as a run of its own: its values, or ``values`` in their place.

    It waits for an active run as ``run_custom`` does.

    Raises NotRerunnable for one that has not ended, Run.DoesNotExist.
    """
    earlier = Run.objects.select_related("schedule").get(pk=run_id)
    if RunState(earlier.state) not in FINISHED:
        raise NotRerunnable(_("This run has not ended yet."))
    run = _copy(earlier, token=click.token, actor=click.actor, now=click.now)
    if values is not None:
        _apply(run, values)
    return runs.start(run, schedule=earlier.schedule, asked=click.asked("run_again"), publish=publish)


def original_values(earlier: Run) -> Values:
    """Return the values that ``run_again`` uses by itself."""
    return Values(args=list(earlier.args), kwargs=dict(earlier.kwargs), queue=earlier.queue)


def _copy(earlier: Run, *, token: str, actor: Actor, now: datetime) -> Run:
    # A decision can be run after all, with the values that the schedule has now.
    if (
        RunState(earlier.state) in DECIDED
        and earlier.schedule is not None
        and not earlier.args
        and not earlier.kwargs
    ):
        run = runs.manual_run(earlier.schedule, token=token, actor=actor, now=now)
    else:
        options: Mapping[str, Any] = {
            name: value for name, value in earlier.options.items() if name != "expires"
        }
        run = Run(
            schedule_id=earlier.schedule_id,
            schedule_name=earlier.schedule_name,
            schedule_version=earlier.schedule_version,
            delivery_mode=earlier.delivery_mode,
            task=earlier.task,
            args=earlier.args,
            kwargs=earlier.kwargs,
            headers=earlier.headers,
            options={**options, **_expiry(earlier, now)},
            queue=earlier.queue,
            canvas=earlier.canvas,
            created_at=now,
            **runs.of_click(actor=actor, now=now),
        )
    run.key = f"m:again:{earlier.pk}:{token}"[:120]
    run.retry_of = earlier
    run.nominal_at, run.previous_nominal_at = earlier.nominal_at, earlier.previous_nominal_at
    return run


def _expiry(earlier: Run, now: datetime) -> dict[str, str]:
    """Return the expiry as long after now as it was after the earlier run was made."""
    expires = earlier.options.get("expires")
    if not isinstance(expires, str):
        return {}
    return {"expires": (now + (datetime.fromisoformat(expires) - earlier.created_at)).isoformat()}


def _apply(run: Run, values: Values) -> None:
    run.args, run.kwargs, run.queue = values.args, values.kwargs, values.queue
