"""A run that is a canvas on its way out: Celery's own signatures, under task ids that follow from the run's.

A second sending has the same id for every task and every group, so the parts' rows, written before the first message, serve
both, and a chord counts what either sending brought. What a worker has received of the first one is not sent again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from celery import Celery, chain, chord, group
from celery.canvas import Signature
from kombu import Producer

from schedulerui.canvas import (
    Node,
    children,
    entries,
    flat,
    group_id_of,
    join,
    leaves,
    needs_backend,
    stands_in,
    task_id_of,
)
from schedulerui.facts import RunState
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
    """Send what can begin of a canvas and has not arrived; ``options`` are the run's own, for parts that say nothing else.

    Raises NoResultBackend, and whatever Celery raises.
    """
    if needs_backend(run.canvas) and not can_join(celery_app):
        message = "a chord, or a group with a step after it, needs a result backend that can join tasks, and the app has none"
        raise NoResultBackend(message)
    waiting = _waiting(run)
    if not waiting:
        return
    made = _Signatures(run=run, options=options, app=celery_app, waiting=waiting).of(
        run.canvas, "", is_free=True
    )
    # The connection is the beat's: a group would ask for one of its own.
    made.apply_async(producer=producer, retry=options["retry"], retry_policy=options["retry_policy"])


def can_join(celery_app: Celery) -> bool:
    """Return whether the app's result backend can run a chord."""
    try:
        celery_app.backend.ensure_chords_allowed()
    except NotImplementedError:
        return False
    return True


def _waiting(run: Run) -> frozenset[str]:
    """Return the paths of the tasks to send now; of a run that may have been sent before, those that no worker has had."""
    first = entries(run.canvas)
    if run.publishes <= 1:
        return first
    arrived = Part.objects.filter(run_id=run.pk).exclude(state=RunState.WAITING)
    return first.difference(arrived.values_list("path", flat=True))


class _Chord(chord):
    """Celery's chord, whose header is sent under the id that the chord was given: its copies get a new one otherwise."""

    def clone(self, *args: Any, **kwargs: Any) -> _Chord:
        return cast("_Chord", _Chord.from_dict(super().clone(*args, **kwargs), app=self.app))

    def freeze(self, *args: Any, **kwargs: Any) -> Any:
        if not isinstance(self.tasks, group):
            self["kwargs"]["header"] = group(self.tasks, app=self.app, task_id=self.options["task_id"])
        return super().freeze(*args, **kwargs)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Signatures:
    """Makes Celery's signatures of one run; ``options`` are those of a part that says nothing else."""

    run: Run
    options: Mapping[str, Any]
    app: Celery
    waiting: frozenset[str]
    """Paths of the tasks to send now."""

    def of(self, node: Node, path: str, *, is_joined: bool = False, is_free: bool = False) -> Signature[Any]:
        """Return the signature of a node; ``is_joined``: a chord waits for its results, so they must not be ignored.

        ``is_free``: each part goes its own way, so those that have arrived are left out. A chain and a chord go as a whole.
        """
        if node["type"] == "task":
            return self._task(node, path, is_joined=is_joined)
        places = [(join(path, piece), part) for piece, part in children(node)]
        below = needs_backend(node) or is_joined
        if node["type"] == "chain":
            return self._chain(flat(node, path), is_joined=below)
        is_free = is_free and node["type"] == "group"
        parts = [
            self.of(part, place, is_joined=below, is_free=is_free)
            for place, part in places
            if not is_free or any(stands_in(each, place) for each in self.waiting)
        ]
        if node["type"] == "group":
            return self._group(parts, path)
        return self._chord(parts[:-1], parts[-1], path)

    def _chain(self, steps: Sequence[tuple[str, Node]], *, is_joined: bool) -> Signature[Any]:
        """Return a chain; of a group with a step after it a chord, as Celery does, but with an id that we know."""
        made: list[Signature[Any]] = []
        for number, (path, node) in enumerate(steps, 1):
            if node["type"] == "group" and number < len(steps):
                header = [
                    self.of(part, join(path, piece), is_joined=is_joined) for piece, part in children(node)
                ]
                made.append(self._chord(header, self._chain(steps[number:], is_joined=is_joined), path))
                break
            made.append(self.of(node, path, is_joined=is_joined))
        return made[0] if len(made) == 1 else chain(*made, app=self.app)

    def _group(self, parts: list[Signature[Any]], path: str) -> Signature[Any]:
        return group(parts, app=self.app, task_id=group_id_of(str(self.run.task_id), path))

    def _chord(self, header: list[Signature[Any]], body: Signature[Any], path: str) -> Signature[Any]:
        return _Chord(header, body, app=self.app, task_id=group_id_of(str(self.run.task_id), path))

    def _task(self, node: Node, path: str, *, is_joined: bool) -> Signature[Any]:
        headers = dict(self.options["headers"])
        headers["schedulerui"] = {**headers["schedulerui"], "part": path}
        usual = {name: value for name, value in self.options.items() if name not in NOT_FOR_PARTS}
        task_id = task_id_of(str(self.run.task_id), path)
        own = {**usual, **node["options"], "headers": headers, "task_id": task_id}
        if is_joined:
            own["ignore_result"] = False
        return self.app.signature(
            node["task"],
            args=tuple(node["args"]),
            kwargs=dict(node["kwargs"]),
            options=own,
            immutable=node["immutable"],
        )
