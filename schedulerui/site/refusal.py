"""The one way in which a start of the bundled site is given up: with a sentence."""

from __future__ import annotations


class StartError(Exception):
    """The site cannot be started; the message is one clear sentence for the person who tried."""
