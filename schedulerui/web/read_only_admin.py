"""Pages of Django's admin that only show: what changes a row is an operation, asked for by an action or in the dashboard."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import NoReverseMatch, reverse

from schedulerui.access import may, visible
from schedulerui.facts import Actor
from schedulerui.web.client_address import client_address

Request: TypeAlias = HttpRequest
Answer: TypeAlias = HttpResponse

if TYPE_CHECKING:  # generic for the type checker only
    ModelAdmin = admin.ModelAdmin[Any]
else:
    ModelAdmin = admin.ModelAdmin


class ReadOnlyAdmin(ModelAdmin):
    """Shows rows to those who have the dashboard's permission ``verb``; adds, changes and deletes none."""

    verb: ClassVar[str] = "view"
    is_of_schedules: ClassVar[bool] = True
    """Whether its rows are schedules or belong to one."""
    page: ClassVar[str]
    """The dashboard's page of the same rows, by its name."""
    change_list_template = "schedulerui/hosts/admin_list.html"
    list_per_page = 50
    show_full_result_count = False  # a second COUNT over the whole table, for nothing that helps

    def get_queryset(self, request: Request) -> QuerySet[Any]:
        """Return the rows that the person may know of, where they belong to schedules: for lists, pages and actions alike."""
        rows = super().get_queryset(request)
        return visible(request.user, rows) if self.is_of_schedules else rows

    def changelist_view(self, request: Request, extra_context: dict[str, Any] | None = None) -> Answer:
        """Show the list, and how the schedules stand, with the way to the dashboard above it, where the host has its pages."""
        try:
            address = reverse(f"schedulerui:{self.page}")
        except NoReverseMatch:
            address = ""
        return super().changelist_view(request, {"dashboard_url": address, **(extra_context or {})})

    def lookup_allowed(self, lookup: str, value: str, request: Request | None = None) -> bool:
        """Refuse questions about fields that are not shown: lists that differ would tell a value letter by letter."""
        hidden = {*(self.exclude or ())} - {*self.list_filter}
        if lookup.partition("__")[0] in hidden:
            return False
        return super().lookup_allowed(lookup, value, request)  # type: ignore[arg-type] # None only where nobody asks for a page

    def has_module_permission(self, request: Request) -> bool:
        return self.has_view_permission(request)

    def has_view_permission(self, request: Request, obj: Any = None) -> bool:
        return may(request.user, self.verb) and (obj is None or self.may_look_at(request, obj))

    def may_look_at(self, _request: Request, _obj: Any) -> bool:
        """Return whether the person may see this row; those of schedules are asked about by their schedule."""
        return True

    def has_add_permission(self, _request: Request) -> bool:
        return False

    def has_change_permission(self, _request: Request, _obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, _request: Request, _obj: Any = None) -> bool:
        return False


def actor_in_admin(request: Request) -> Actor:
    """Return who acts in the admin, for the audit log."""
    return Actor(
        name=request.user.get_username()[:150],
        user_id=request.user.pk,
        via="admin",
        address=client_address(request),
    )


def to_dashboard(page: str, *arguments: object) -> Answer:
    """Return a redirect to a page of the dashboard, by its name."""
    return redirect(f"schedulerui:{page}", *arguments)
