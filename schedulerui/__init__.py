"""Celery periodic schedules in Django: defined, dispatched once, watched."""

from __future__ import annotations

__version__ = "0.1.0"
