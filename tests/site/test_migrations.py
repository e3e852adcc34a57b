"""The migrations say what the models say."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import call_command


@pytest.mark.django_db
def test_no_migration_is_missing():
    said = StringIO()
    try:
        call_command("makemigrations", "schedulerui", check=True, dry_run=True, stdout=said)
    except SystemExit:
        pytest.fail(f"the models changed without a migration:\n{said.getvalue()}")
