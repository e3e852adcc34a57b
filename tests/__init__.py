"""The tests: one folder per kind of proof, from pure functions to real processes and a real browser."""

from __future__ import annotations
