"""The choices of a schedule's columns, as plain strings with words for people."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from schedulerui.facts import Delivery, Kind, Misfire, Overlap


def choices_of(*pairs: tuple[str, object]) -> list[tuple[str, object]]:
    """Return choices as plain strings, so that migrations do not import our enumerations."""
    return [(str(value), label) for value, label in pairs]


KINDS = choices_of(
    (Kind.INTERVAL, _("Interval")),
    (Kind.CRONTAB, _("Crontab")),
    (Kind.CLOCKED, _("Once, at a time")),
    (Kind.SOLAR, _("Solar")),
    (Kind.MANUAL, _("By hand only")),
)
PERIODS = choices_of(
    ("seconds", _("seconds")),
    ("minutes", _("minutes")),
    ("hours", _("hours")),
    ("days", _("days")),
    ("weeks", _("weeks")),
)
SEMANTICS = choices_of(
    ("celery-and", _("Both must match, as in Celery")),
    ("vixie-or", _("Either may match, as in classic cron")),
)
MISFIRES = choices_of(
    (Misfire.LATEST, _("Run the newest missed time once")),
    (Misfire.ALL, _("Run every missed time, oldest first")),
    (Misfire.NONE, _("Run none of them")),
)
OVERLAPS = choices_of(
    (Overlap.ALLOW, _("Start another run")),
    (Overlap.SKIP, _("Skip that time")),
    (Overlap.QUEUE, _("Wait until it has ended")),
    (Overlap.CANCEL_PREVIOUS, _("Cancel it and start the new one")),
)
DELIVERIES = choices_of(
    (Delivery.AT_LEAST_ONCE, _("Send again under the same id")), (Delivery.AT_MOST_ONCE, _("Leave it unsent"))
)
SOURCES = choices_of(("browser", _("Browser")), ("code", _("Code")), ("import", _("Import")))
SOLAR_EVENTS = choices_of(
    *(
        (event, label)
        for event, label in (
            ("dawn_astronomical", _("Astronomical dawn")),
            ("dawn_nautical", _("Nautical dawn")),
            ("dawn_civil", _("Civil dawn")),
            ("sunrise", _("Sunrise")),
            ("solar_noon", _("Solar noon")),
            ("sunset", _("Sunset")),
            ("dusk_civil", _("Civil dusk")),
            ("dusk_nautical", _("Nautical dusk")),
            ("dusk_astronomical", _("Astronomical dusk")),
        )
    )
)
