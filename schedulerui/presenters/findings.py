"""A broken invariant in a sentence, with where to look."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from schedulerui.models import Finding
from schedulerui.operations.scanner import Invariant

OLD_AFTER = timedelta(minutes=5)
"""Age at which the last scan says nothing about now: no monitor runs."""
ADDRESSES = {
    Invariant.OVERDUE: ("schedulerui:schedules", "?sort=next"),
    Invariant.LEASE: ("schedulerui:runs", "?state=pending"),
    Invariant.NEVER_RECEIVED: ("schedulerui:runs", "?state=sent"),
    Invariant.UNACCOUNTED: ("schedulerui:schedules", ""),
    Invariant.STRANDED: ("schedulerui:schedules", "?on=on"),
    Invariant.ORPHANED: ("schedulerui:runs", "?state=active"),
    Invariant.OWNERLESS: ("schedulerui:schedules", "?on=on"),
}
"""The name of the address and its query under which the broken rows are listed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingRow:
    """One broken invariant, ready to print. ``examples`` are hostile text in ``name``."""

    kind: str
    sentence: str
    address: str
    query: str
    examples: tuple[Mapping[str, Any], ...]


def sentence_of(invariant: Invariant, n: int, *, is_lower_bound: bool = False) -> str:
    """Return what is broken how often, and where to look, in a sentence."""
    count = _("at least %(n)d") % {"n": n} if is_lower_bound else str(n)
    return str(_template(invariant, n) % {"count": count})


def finding_rows(findings: Iterable[Finding]) -> tuple[FindingRow, ...]:
    """Return the stored findings of broken invariants; a kind that this version does not know is left out."""
    known = {str(invariant): invariant for invariant in Invariant}
    return tuple(
        FindingRow(
            kind=finding.kind,
            sentence=sentence_of(known[finding.kind], finding.n, is_lower_bound=finding.is_lower_bound),
            address=ADDRESSES[known[finding.kind]][0],
            query=ADDRESSES[known[finding.kind]][1],
            examples=tuple(finding.examples),
        )
        for finding in findings
        if finding.n and finding.kind in known
    )


def _template(invariant: Invariant, n: int) -> str:
    templates = {
        Invariant.OVERDUE: ngettext(
            "%(count)s schedule is due for longer than its grace, although a beat ticks.",
            "%(count)s schedules are due for longer than their grace, although a beat ticks.",
            n,
        ),
        Invariant.LEASE: ngettext(
            "%(count)s claimed run is past its lease and nobody takes it over.",
            "%(count)s claimed runs are past their lease and nobody takes them over.",
            n,
        ),
        Invariant.NEVER_RECEIVED: ngettext(
            "%(count)s message was sent and never received, although a worker consumes its queue and nothing waits there.",
            "%(count)s messages were sent and never received, although workers consume their queues and nothing waits there.",
            n,
        ),
        Invariant.UNACCOUNTED: ngettext(
            "%(count)s time of a schedule has no row in the history.",
            "%(count)s times of schedules have no row in the history.",
            n,
        ),
        Invariant.STRANDED: ngettext(
            "%(count)s schedule is on and has no next run, and nothing says why. Switch it off and on again.",
            "%(count)s schedules are on and have no next run, and nothing says why. Switch them off and on again.",
            n,
        ),
        Invariant.ORPHANED: ngettext(
            "%(count)s run is running on a worker that is gone. Is a monitor running?",
            "%(count)s runs are running on workers that are gone. Is a monitor running?",
            n,
        ),
        Invariant.OWNERLESS: ngettext(
            "%(count)s schedule is on that the code of a Celery app defined of which no beat ticks. Start its beat; if it has another "
            "name now, run “schedulerui rename-app OLD NEW” and restart beat; if it is gone, switch the schedule off.",
            "%(count)s schedules are on that the code of a Celery app defined of which no beat ticks. Start its beat; if it has another "
            "name now, run “schedulerui rename-app OLD NEW” and restart beat; if it is gone, switch the schedules off.",
            n,
        ),
    }
    return templates[invariant]
