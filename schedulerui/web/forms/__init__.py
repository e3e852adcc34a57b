"""What people type: the form of a schedule, and the part of it that the preview reads."""

from __future__ import annotations

from schedulerui.web.forms.rule import RuleForm
from schedulerui.web.forms.schedule import ScheduleForm, differences, initial_of

__all__ = ["RuleForm", "ScheduleForm", "differences", "initial_of"]
