"""Verbs: each one transaction, each with a frozen result that says what changed and why not."""

from __future__ import annotations
