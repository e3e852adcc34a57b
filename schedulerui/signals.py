"""Signals for hosts; the product itself does nothing by them."""

from __future__ import annotations

from django.dispatch import Signal

alert_changed = Signal()
"""Sent by a monitor for the channel type ``signal``: ``event`` (late, failing, down, recovered, reminder, several) and
``alerts``, a list of dictionaries as the webhook gets them. A receiver that raises is tried again."""
