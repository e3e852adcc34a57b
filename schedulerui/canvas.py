"""The shape of a stored canvas: its tasks, where each stands, and which must end before it; pure.

``{"type": "chain" | "group", "steps": [...]}``, ``{"type": "chord", "header": [...], "body": ...}``, and for each task
``{"type": "task", "task": name}`` with ``args``, ``kwargs``, ``options`` and ``immutable``. ``operations.canvas`` makes sure of it.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Node = Mapping[str, Any]
BODY = "body"
NAMESPACE = uuid.UUID("5b1f7b9e-0d2c-4c7e-9a53-3f2d6c1e8a40")
"""Of the parts' task ids; a change would give a message that is sent again another id."""


DEPTH_MAX = 50
"""Levels at which a stored canvas is taken for damaged; the form allows far fewer."""
OF_A_TASK = frozenset({"task", "args", "kwargs", "options", "immutable"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """One task; ``path`` says where it stands (``1.0``), ``after`` the paths of the tasks that must succeed directly before it."""

    path: str
    role: str
    node: Node
    after: frozenset[str]

    @property
    def task(self) -> str:
        """The task's name."""
        return str(self.node["task"])


def is_sound(node: object, *, depth: int = 1) -> bool:
    """Return whether a stored canvas has the shape of one: a row that another program wrote must not break a page."""
    if not isinstance(node, Mapping) or depth > DEPTH_MAX:
        return False
    if node.get("type") == "task":
        return node.keys() >= OF_A_TASK and isinstance(node["options"], Mapping)
    if node.get("type") not in {"chain", "group", "chord"}:
        return False
    steps = node.get("header" if node["type"] == "chord" else "steps")
    if not isinstance(steps, list) or not steps:
        return False
    parts = [*steps, node.get("body")] if node["type"] == "chord" else steps
    return all(is_sound(part, depth=depth + 1) for part in parts)


def children(node: Node) -> list[tuple[str, Node]]:
    """Return the parts of a node, each with its piece of the path; none for a task."""
    if node["type"] == "chord":
        return [*((str(number), part) for number, part in enumerate(node["header"])), (BODY, node["body"])]
    return [(str(number), part) for number, part in enumerate(node.get("steps", ()))]


def join(path: str, piece: str) -> str:
    """Return the path of a part of the node at ``path``."""
    return f"{path}.{piece}" if path else piece


def flat(chain: Node, path: str) -> list[tuple[str, Node]]:
    """Return the steps of a chain, each with its path, those of chains in it among them."""
    steps: list[tuple[str, Node]] = []
    for piece, part in children(chain):
        place = join(path, piece)
        steps += flat(part, place) if part["type"] == "chain" else [(place, part)]
    return steps


def leaves(canvas: Node) -> list[Leaf]:
    """Return the tasks in the order in which a reader meets them."""
    found: list[Leaf] = []
    _walk(canvas, "", "task", frozenset(), found)
    return found


def _walk(node: Node, path: str, role: str, after: frozenset[str], found: list[Leaf]) -> frozenset[str]:
    """Collect the tasks of a node; returns the paths of those that end it."""
    if node["type"] == "task":
        found.append(Leaf(path=path, role=role, node=node, after=after))
        return frozenset({path})
    ends: frozenset[str] = frozenset()
    before = after
    for piece, part in children(node):
        if piece == BODY:
            before = ends
        last = _walk(part, join(path, piece), BODY if piece == BODY else role, before, found)
        ends = last if node["type"] == "chain" or piece == BODY else ends | last
        if node["type"] == "chain":
            before = last
    return ends


def entries(canvas: Node) -> frozenset[str]:
    """Return the paths of the tasks that wait for no other: what is sent first, and all at once."""
    return frozenset(leaf.path for leaf in leaves(canvas) if not leaf.after)


def stands_in(path: str, node_path: str) -> bool:
    """Return whether a task stands in the node at ``node_path``; everything stands in the whole."""
    return not node_path or path == node_path or path.startswith(f"{node_path}.")


def unreachable(found: list[Leaf], stopped: set[str]) -> Iterator[tuple[str, str]]:
    """Yield the path of each task that cannot begin any more, with that of the stopped one it waits for."""
    because: dict[str, str] = {path: path for path in stopped}
    for leaf in found:  # a task stands behind all that it waits for
        held_by = next((path for path in sorted(leaf.after) if path in because), None)
        if held_by is not None and leaf.path not in because:
            because[leaf.path] = because[held_by]
            yield leaf.path, because[held_by]


def task_id_of(run_task_id: str, path: str) -> str:
    """Return the task id of a part: the same for every sending of a run."""
    return str(uuid.uuid5(NAMESPACE, f"{run_task_id}/{path}"))


def group_id_of(run_task_id: str, path: str) -> str:
    """Return the id of a group or of a chord's header: the same for every sending, so that a chord counts each task once."""
    return str(uuid.uuid5(NAMESPACE, f"{run_task_id}/{path}#group"))


def needs_backend(node: Node) -> bool:
    """Return whether a result backend has to join tasks: for a chord, and for a group in a chain with a step after it."""
    if node["type"] == "chord":
        return True
    parts = [part for _piece, part in children(node)]
    joins = node["type"] == "chain" and any(_ends_in_group(part) for part in parts[:-1])
    return joins or any(needs_backend(part) for part in parts)


def _ends_in_group(node: Node) -> bool:
    if node["type"] == "chain":
        return _ends_in_group(node["steps"][-1])
    return bool(node["type"] == "group")
