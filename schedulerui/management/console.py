"""The console script ``schedulerui VERB``: the management command without a manage.py."""

from __future__ import annotations

import os
import sys

from django.core.management import execute_from_command_line


def main() -> None:
    """Run ``manage.py schedulerui`` with the given arguments, on the bundled site unless settings are named."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "schedulerui.site.settings")
    execute_from_command_line([sys.argv[0], "schedulerui", *sys.argv[1:]])
