"""Collects what no single worker can tell: who died, what was lost, how deep the queues are; never inside a web request."""

from __future__ import annotations
