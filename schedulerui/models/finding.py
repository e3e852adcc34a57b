"""Finding: what the last scan of the invariants saw broken, one row a kind, for the overview."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class Finding(models.Model):
    """One kind of broken invariant; ``n`` is 0 when the last scan found none of it. Only the monitor writes these rows."""

    kind = models.CharField(max_length=20, unique=True)
    n = models.PositiveIntegerField(default=0)
    is_lower_bound = models.BooleanField(default=False)
    """Whether there are more than ``n``: a scan counts only so far."""
    examples = models.JSONField(default=list)
    """A few of them: objects of ``name``, ``detail``, and ``schedule`` (a number) or ``run`` (a uuid) where there is one."""
    checked_at = models.DateTimeField()

    class Meta:
        verbose_name = _("finding")
        verbose_name_plural = _("findings")

    def __str__(self) -> str:
        return f"{self.kind}: {self.n}"
