"""Verbs for many runs at once; ``bulk.apply`` does them."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

from schedulerui import dispatch, remote
from schedulerui.facts import Actor
from schedulerui.models import Run
from schedulerui.operations import bulk, cancellations, reruns

Verb = Callable[[Run], bulk.Did]
"""Does one thing to one run; returns whether that changed anything."""


def cancelling(*, actor: Actor, now: datetime, revoke: cancellations.Tell | None = None) -> Verb:
    """Return the verb that calls a run off, or has workers give it up before its body begins; a body that runs goes on.

    A broker that is away is asked once and not for each of them: workers read the wish from the database.
    """
    away: list[dispatch.DispatchError] = []

    def tell(task_id: str, *, terminate: bool, hostname: str) -> None:
        if away:
            raise away[0]
        try:
            (revoke or remote.revoke)(task_id, terminate=terminate, hostname=hostname)
        except dispatch.DispatchError as error:
            away.append(error)
            raise

    return lambda run: cancellations.cancel(run.pk, terminate=False, actor=actor, now=now, tell=tell).changed


@contextmanager
def again(*, token: uuid.UUID, actor: Actor, now: datetime, even_if_running: bool = False) -> Iterator[Verb]:
    """Give the verb that runs once more what a finished run was, with its values; ``token`` names the click.

    Where runs must not overlap each waits for an active one, unless ``even_if_running``.

    All messages go over one connection. A broker that is down is no failure: beat sends what is queued.
    """
    with bulk.publishing() as publish:

        def run_again(run: Run) -> bulk.Did:
            key = str(uuid.uuid5(token, str(run.pk)))
            click = reruns.Click(token=key, actor=actor, now=now, even_if_running=even_if_running)
            return bulk.did_of(reruns.run_again(run.pk, click=click, publish=publish))

        yield run_again
