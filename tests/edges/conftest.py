"""The edges share the fixtures of the verbs."""

from __future__ import annotations

from tests.operations.conftest import actor, clock, make_schedule, sent

__all__ = ["actor", "clock", "make_schedule", "sent"]
