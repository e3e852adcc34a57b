"""What an operation may refuse, each with a sentence for a person."""

from __future__ import annotations

from collections.abc import Mapping

from schedulerui.models import Schedule


class OperationError(Exception):
    """An operation was refused; nothing was changed."""


class InvalidSchedule(OperationError):
    """Values that no schedule can have; ``errors`` maps a field of the model to its sentences."""

    def __init__(self, errors: Mapping[str, list[str]]) -> None:
        self.errors = {field: list(messages) for field, messages in errors.items()}
        super().__init__(
            "; ".join(f"{field}: {' '.join(messages)}" for field, messages in self.errors.items())
        )


class VersionConflict(OperationError):
    """Somebody else has changed the schedule since it was read; ``current`` is the row as it is now."""

    def __init__(self, current: Schedule) -> None:
        self.current = current
        super().__init__(
            f"{current.name} was changed in the meantime: it is at version {current.version} now."
        )


class CodeManaged(OperationError):
    """The schedule is defined in code and can only be changed there."""

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule
        super().__init__(
            f"{schedule.name} is defined in code ({schedule.source_key}). Change it there; "
            "it can be enabled, disabled and run from here."
        )


class NotResettable(OperationError):
    """The schedule is no interval that is on and kept in the browser: there is no timer to begin anew."""

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule
        super().__init__(f"{schedule.name} has no timer that can be reset.")


class NotComing(OperationError):
    """A time was to be skipped that is not one of the schedule's times to come, or that is not skipped."""
