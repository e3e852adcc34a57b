"""A run that is a canvas on its way out: Celery's own signatures, under task ids that follow from the run's.

A second sending has the same id for every task, so the parts' rows, written before the first message, serve both.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from celery import Celery, chain, chord, group
from celery.canvas import Signature
from kombu import Producer

from schedulerui.canvas import Node, children, leaves, needs_backend, task_id_of
from schedulerui.models import Part, Run

NOT_FOR_PARTS = frozenset({"headers", "retry", "retry_policy"})


class NoResultBackend(Exception):
    """The canvas has tasks that only a result backend can bring together."""


def write_parts(run: Run) -> None:
    """Insert the rows of a run's parts, once; raises django.db.DatabaseError."""
    parts = [
        Part(
            run_id=run.pk,
            position=position,
            path=leaf.path,
            role=leaf.role,
            task=leaf.task,
            task_id=task_id_of(str(run.task_id), leaf.path),
        )
        for position, leaf in enumerate(leaves(run.canvas))
    ]
    Part.objects.bulk_create(parts, ignore_conflicts=True)


def publish(run: Run, options: Mapping[str, Any], *, producer: Producer, celery_app: Celery) -> None:
    """Send what can begin of a canvas; ``options`` are the run's own, for parts that say nothing else.

    Raises NoResultBackend, and whatever Celery raises.
    """
    if needs_backend(run.canvas) and not can_join(celery_app):
        message = "a chord, or a group with a step after it, needs a result backend that can join tasks, and the app has none"
        raise NoResultBackend(message)
    made = signature(run, run.canvas, "", options, celery_app)
    # The connection is the beat's: a group would ask for one of its own.
    made.apply_async(producer=producer, retry=options["retry"], retry_policy=options["retry_policy"])


def can_join(celery_app: Celery) -> bool:
    """Return whether the app's result backend can run a chord."""
    try:
        celery_app.backend.ensure_chords_allowed()
    except NotImplementedError:
        return False
    return True


def signature(
    run: Run,
    node: Node,
    path: str,
    options: Mapping[str, Any],
    celery_app: Celery,
    *,
    is_joined: bool = False,
) -> Signature[Any]:
    """Return Celery's signature of a node; ``is_joined``: a chord waits for its results, so they must not be ignored."""
    if node["type"] == "task":
        return _task(run, node, path, options, celery_app, is_joined=is_joined)
    below = needs_backend(node) or is_joined
    parts = [
        signature(run, part, f"{path}.{piece}".lstrip("."), options, celery_app, is_joined=below)
        for piece, part in children(node)
    ]
    if node["type"] == "chain":
        return chain(*parts, app=celery_app)
    if node["type"] == "group":
        return group(parts, app=celery_app)
    return chord(parts[:-1], parts[-1], app=celery_app)


def _task(
    run: Run, node: Node, path: str, options: Mapping[str, Any], celery_app: Celery, *, is_joined: bool
) -> Signature[Any]:
    headers = dict(options["headers"])
    headers["schedulerui"] = {**headers["schedulerui"], "part": path}
    usual = {name: value for name, value in options.items() if name not in NOT_FOR_PARTS}
    own = {**usual, **node["options"], "headers": headers, "task_id": task_id_of(str(run.task_id), path)}
    if is_joined:
        own["ignore_result"] = False
    return celery_app.signature(
        node["task"],
        args=tuple(node["args"]),
        kwargs=dict(node["kwargs"]),
        options=own,
        immutable=node["immutable"],
    )
