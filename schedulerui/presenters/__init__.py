"""Frozen rows for templates: words, colours, moments, small drawings; nothing here writes."""

from __future__ import annotations

from schedulerui.presenters.states import StateWord, state_of, state_word, trigger_word
from schedulerui.presenters.values import digest, redact

__all__ = ["StateWord", "digest", "redact", "state_of", "state_word", "trigger_word"]
