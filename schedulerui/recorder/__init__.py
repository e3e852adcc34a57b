"""Celery's worker signals written as history, in the worker's own process."""

from __future__ import annotations
