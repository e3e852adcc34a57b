"""Keep a filter under a name, and forget it again."""

from __future__ import annotations

from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _

from schedulerui.models import SavedView
from schedulerui.web.decorators import error_page, gate
from schedulerui.web.responses import see_other, with_message
from schedulerui.web.saved import MOST_VIEWS, PAGES, kept, owner_of

LONGEST_NAME = 60
LONGEST_QUERY = 1000


@gate("view", methods=("POST",))
def save_view(request: HttpRequest) -> HttpResponse:
    """Keep the posted query of a list under the posted name; a name that is taken is given to the new one."""
    page, name = request.POST.get("page", ""), " ".join(request.POST.get("name", "").split())
    query = kept(request.POST.get("query", ""))
    if page not in PAGES:
        return error_page(request, 400, sentence=_("That form is damaged. Load the page again."))
    problem = _problem(request, page, name, query)
    if problem:
        with_message(request, problem, kind="fail")
    else:
        _store(request, page, name, query)
        with_message(request, _("Saved the view “%(name)s”.") % {"name": name})
    return see_other(request, f"{reverse(f'schedulerui:{page}')}?{query}")


@gate("view", methods=("POST",))
def delete_view(request: HttpRequest, pk: int) -> HttpResponse:
    """Forget one of the person's own views."""
    found = get_object_or_404(SavedView, pk=pk, user_id=owner_of(request))
    found.delete()
    with_message(request, _("Removed the view “%(name)s”.") % {"name": found.name})
    return see_other(request, reverse(f"schedulerui:{found.page}"))


def _problem(request: HttpRequest, page: str, name: str, query: str) -> str:
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        return _("A view needs a name of at most 60 characters.")
    if not query:
        return _("There is no filter and no order to keep.")
    if len(query) > LONGEST_QUERY:
        return _("That filter is too long to be kept.")
    others = SavedView.objects.filter(user_id=owner_of(request), page=page).exclude(name=name)
    return _("You keep 50 views of this list already.") if others.count() >= MOST_VIEWS else ""


def _store(request: HttpRequest, page: str, name: str, query: str) -> None:
    mine = SavedView.objects.filter(user_id=owner_of(request), page=page, name=name)
    if mine.update(query=query):
        return
    try:
        with transaction.atomic():
            SavedView.objects.create(user_id=owner_of(request), page=page, name=name, query=query)
    except IntegrityError:  # the same form, sent twice at once
        mine.update(query=query)
