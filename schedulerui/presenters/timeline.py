"""Due, sent, received, started, finished: the stations of a run, the gaps between them, and why one is not known."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from schedulerui.facts import DECIDED, FINISHED, RunState
from schedulerui.models import Run
from schedulerui.presenters.moments import duration

WIDTH = 1000
MIN_SHARE = 0.03
"""A gap of next to nothing is still drawn so wide, as a share of the whole."""

STATIONS: tuple[tuple[str, Any, Any], ...] = (
    ("due", gettext_lazy("Due"), ""),
    ("sent", gettext_lazy("Sent"), gettext_lazy("Dispatch delay")),
    ("received", gettext_lazy("Received"), gettext_lazy("Wait in the queue")),
    ("started", gettext_lazy("Started"), gettext_lazy("Wait in the worker")),
    ("finished", gettext_lazy("Finished"), gettext_lazy("Run time")),
)
FAMILIES = {"due": "none", "sent": "warn", "received": "skip", "started": "off", "finished": "run"}
"""The family of colours of the gap before a station."""
NEVER_SENT = DECIDED | {RunState.UNSENT, RunState.CANCELLED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Station:
    """One moment of a run; ``why`` says why it is not known, ``gap`` is the time since the last known station, seconds."""

    key: str
    word: str
    at: datetime | None
    why: str = ""
    gap_word: str = ""
    gap: float | None = None

    @property
    def family(self) -> str:
        """The colours of the gap before it."""
        return FAMILIES[self.key]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One gap as a piece of the drawing, in its own units of 0 to 1000."""

    key: str
    x: float
    width: float
    word: str = ""
    gap: float = 0.0

    @property
    def family(self) -> str:
        """Its colours: those of the station at its end."""
        return FAMILIES[self.key]


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """The stations, the drawing, and the drawing in words."""

    stations: tuple[Station, ...]
    bars: tuple[Bar, ...]

    @property
    def words(self) -> str:
        """What the drawing says, for those who do not see it."""
        known = [
            f"{station.gap_word} {duration(station.gap)}"
            for station in self.stations
            if station.gap is not None
        ]
        return ", ".join(known) or _("No two moments of this run are known yet.")

    @property
    def why_no_worker(self) -> str:
        """Why nobody knows which worker had the run; empty where its reception or its start is known."""
        received, started = self.stations[2], self.stations[3]
        return "" if received.at or started.at else received.why

    @property
    def why_no_end(self) -> str:
        """Why there is no run time, where there is none."""
        return self.stations[-1].why or self.stations[3].why or _("Nobody reported it.")


def timeline_of(run: Run) -> Timeline:
    """Return the stations of a run as far as they are known."""
    moments = [getattr(run, f"{key}_at") for key, _word, _gap in STATIONS]
    if run.state not in FINISHED:
        moments[-1] = None  # an attempt before may have left one
    stations: list[Station] = []
    before, words = moments[0], []
    for index, (key, word, gap_word) in enumerate(STATIONS):
        at = moments[index]
        words.append(str(gap_word))
        is_gap = index > 0 and at is not None and before is not None
        stations.append(
            Station(
                key=key,
                word=str(word),
                at=at,
                why="" if at else why_unknown(run, later=moments[index + 1 :]),
                gap_word=" + ".join(filter(None, words)) if is_gap else str(gap_word),
                gap=(at - before).total_seconds() if is_gap and at and before else None,
            )
        )
        if at is not None:
            before, words = at, []
    return Timeline(stations=tuple(stations), bars=bars_of(stations))


def why_unknown(run: Run, *, later: list[datetime | None]) -> str:
    """Return why a station has no moment, in a sentence."""
    state = RunState(run.state)
    if state in NEVER_SENT:
        return _("It was never sent.")
    if any(later[:-1]):
        return _("Nobody reported it.")
    if state not in FINISHED:
        return _("Not yet.")
    if state is RunState.LOST:
        return _("Its worker is gone and never told.")
    return _("It did not come to that.") if run.finished_at or not later else _("Nobody reported it.")


def bars_of(stations: list[Station]) -> tuple[Bar, ...]:
    """Return the known gaps side by side, as long as they lasted, none too thin to see."""
    gaps = [(station, max(station.gap, 0.0)) for station in stations if station.gap is not None]
    whole = sum(gap for _station, gap in gaps)
    shares = [max(gap / whole, MIN_SHARE) if whole else 1.0 for _station, gap in gaps]
    scale = WIDTH / sum(shares) if shares else 0.0
    bars, x = [], 0.0
    for (station, gap), share in zip(gaps, shares, strict=True):
        width = round(share * scale, 1)
        bars.append(Bar(key=station.key, x=round(x, 1), width=width, word=station.gap_word, gap=gap))
        x += share * scale
    return tuple(bars)
