"""Spreading occurrences over time: by how much one is put off, the same in every process and after every restart."""

from __future__ import annotations

import hashlib
import uuid
from datetime import datetime, timedelta

_MILLISECOND = timedelta(milliseconds=1)


def delay(
    seed: uuid.UUID, *, nominal_at: datetime, jitter: timedelta, following_at: datetime | None
) -> timedelta:
    """Return how long after its nominal time (aware) an occurrence is due, in whole milliseconds.

    A hash of seed and nominal time falls evenly on 0 to before `jitter`, or to before the gap to
    `following_at`, the rule's next nominal time, where that is shorter: so the order of occurrences never
    changes. Nothing when `jitter` is nothing.
    """
    room = jitter if following_at is None else min(jitter, following_at - nominal_at)
    if room < _MILLISECOND:
        return timedelta(0)
    text = f"{seed}|{int(nominal_at.timestamp())}".encode("ascii")
    fraction = int.from_bytes(hashlib.blake2s(text, digest_size=4).digest(), "big")
    return (fraction * (room // _MILLISECOND) >> 32) * _MILLISECOND
