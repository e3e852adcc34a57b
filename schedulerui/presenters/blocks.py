"""Arguments, results and tracebacks as a page may show them: secrets covered, and never more than 64 KB."""

from __future__ import annotations

import json
from dataclasses import dataclass

from schedulerui.models import Run
from schedulerui.presenters.values import redact

SHOWN_LIMIT = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A piece of preformatted text, and how many characters of it are not shown."""

    key: str
    text: str
    n_hidden: int = 0


def block(key: str, text: str) -> Block:
    """Return text cut to what a page shows."""
    return Block(key=key, text=text[:SHOWN_LIMIT], n_hidden=max(0, len(text) - SHOWN_LIMIT))


def json_block(key: str, value: object) -> Block:
    """Return a value as indented JSON, secrets covered by the names of their keys."""
    return block(key, json.dumps(redact(value), indent=2, ensure_ascii=False, default=str))


def blocks_of(run: Run) -> list[Block]:
    """Return what was given to a run and what came of it; empty parts are left out."""
    given = [
        json_block(key, getattr(run, key))
        for key in ("args", "kwargs", "headers", "options")
        if getattr(run, key)
    ]
    came = [
        block(key, getattr(run, key))
        for key in ("result", "exception", "traceback", "log")
        if getattr(run, key)
    ]
    return given + came
