"""A canvas in words, and the parts of a run with what has become of each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from schedulerui.canvas import Node, children, is_sound, leaves
from schedulerui.models import Part, Run
from schedulerui.operations.registered import is_missing
from schedulerui.presenters.blocks import Block, block, told
from schedulerui.presenters.states import StateWord, state_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One line of the nested list that shows a canvas."""

    words: str
    task: str = ""
    queue: str = ""
    is_known: bool = True
    items: tuple[Item, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PartRow:
    """One task of a run; ``runtime`` is seconds or None, ``blocks`` is empty for those who may not see values."""

    path: str
    number: int
    is_body: bool
    depth: int
    task: str
    task_id: str
    state: StateWord
    worker: str = ""
    worker_instance: UUID | None = None
    started_at: datetime | None = None
    runtime: float | None = None
    reason: str = ""
    blocks: list[Block] = field(default_factory=list)


def _damaged() -> str:
    return _("This is no canvas that can be read: another program may have written it.")


def tree_of(node: Node, *, known: Iterable[str] = ()) -> Item | None:
    """Return a canvas as a nested list, None for a plain task; ``known`` are the tasks that somebody knows (none: nobody can tell)."""
    if not node:
        return None
    return _item(node, frozenset(known)) if is_sound(node) else Item(words=_damaged())


def _item(node: Node, known: frozenset[str]) -> Item:
    if node["type"] == "task":
        name = str(node["task"])
        is_known = not is_missing(name, known)
        return Item(words="", task=name, queue=str(node["options"].get("queue", "")), is_known=is_known)
    parts = tuple(_item(part, known) for _piece, part in children(node))
    if node["type"] == "chord":
        header = Item(words=_all_at_once(len(parts) - 1), items=parts[:-1])
        return Item(
            words=_("Chord: the last one begins when all others have succeeded"), items=(header, parts[-1])
        )
    return Item(
        words=_chain(len(parts)) if node["type"] == "chain" else _all_at_once(len(parts)), items=parts
    )


def _chain(n: int) -> str:
    return ngettext("Chain of %(n)d step", "Chain of %(n)d steps, one after the other", n) % {"n": n}


def _all_at_once(n: int) -> str:
    return ngettext("Group of %(n)d", "Group of %(n)d, all at once", n) % {"n": n}


def words_of(node: Node) -> str:
    """Return a canvas in one sentence: ``chain of 3: a, then b, then group of 2 (c, d)``."""
    return _words(node) if is_sound(node) else _damaged()


def _words(node: Node) -> str:
    if node["type"] == "task":
        return str(node["task"])
    parts = [_words(part) for _piece, part in children(node)]
    if node["type"] == "chain":
        return _("chain of %(n)d: %(steps)s") % {"n": len(parts), "steps": _(", then ").join(parts)}
    if node["type"] == "group":
        return _("group of %(n)d (%(steps)s)") % {"n": len(parts), "steps": ", ".join(parts)}
    words = _("chord of %(n)d (%(steps)s), then %(body)s")
    return words % {"n": len(parts) - 1, "steps": ", ".join(parts[:-1]), "body": parts[-1]}


def part_rows(run: Run, parts: Iterable[Part], *, with_values: bool) -> list[PartRow]:
    """Return the lines of a run's parts; those of a run that was never sent come from its canvas alone."""
    rows = list(parts)
    if not rows and is_sound(run.canvas):
        rows = [
            Part(run=run, position=number, path=leaf.path, role=leaf.role, task=leaf.task)
            for number, leaf in enumerate(leaves(run.canvas))
        ]
    return [_part_row(part, with_values=with_values) for part in rows]


def _part_row(part: Part, *, with_values: bool) -> PartRow:
    texts: list[tuple[str, str]] = [(key, getattr(part, key)) for key in ("result", "exception", "traceback")]
    return PartRow(
        path=part.path,
        number=part.position + 1,
        is_body=part.role == "body",
        depth=part.path.count("."),
        task=part.task,
        task_id=part.task_id,
        state=state_of(part.state),
        worker=part.worker,
        worker_instance=part.worker_instance,
        started_at=part.started_at,
        runtime=part.runtime,
        reason=part.reason,
        blocks=[block(key, told(key, text)) for key, text in texts if text] if with_values else [],
    )
