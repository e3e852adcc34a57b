"""The catalogues of the languages: what is marked for translation, and `python -m tests.catalogues`, which brings it into them.

Translations that are there stay. What is new stands there without one until somebody writes it; what is gone goes. Then each
catalogue is compiled. Lines are those of Babel, so that a second run changes nothing.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from babel.messages import Catalog, Message, mofile, pofile
from babel.messages.extract import extract
from django.utils.translation.template import templatize

REPOSITORY = Path(__file__).resolve().parents[1]
LOCALE = REPOSITORY / "schedulerui" / "locale"
COMPLETE = ("de",)
"""Languages of all pages; the others have the words of rules alone."""
ROOM_OF_RULES = "schedulerui/recurrence"
KEYWORDS = {
    **dict.fromkeys(("_", "now_", "gettext", "gettext_lazy", "gettext_noop")),
    **dict.fromkeys(("ngettext", "ngettext_lazy"), (1, 2)),
    **dict.fromkeys(("pgettext", "pgettext_lazy"), ((1, "c"), 2)),
    **dict.fromkeys(("npgettext", "npgettext_lazy"), ((1, "c"), 2, 3)),
}
Phrase = str | tuple[str, ...]
"""A text, or the pair of singular and plural."""


def sources(code: str) -> Iterator[Path]:
    """Files whose phrases a language has, in the catalogue's order."""
    if code not in COMPLETE:
        yield from sorted((REPOSITORY / ROOM_OF_RULES).rglob("*.py"))
        return
    modules = sorted((REPOSITORY / "schedulerui").rglob("*.py"))
    yield from (path for path in modules if "migrations" not in path.parts)
    yield from sorted((REPOSITORY / "templates").rglob("*.html"))


def marked(paths: Iterable[Path]) -> dict[tuple[Phrase, str | None], Path]:
    """All that is marked for translation there, with its context, and the first file that has it."""
    found: dict[tuple[Phrase, str | None], Path] = {}
    for path in paths:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".html":
            # Django's makemessages reads a template so; Babel's reader of Python wants no indentation.
            text = "\n".join(line.strip() for line in templatize(text, origin=str(path)).splitlines())
        for _line, phrase, _comments, context in extract("python", io.BytesIO(text.encode()), KEYWORDS):
            found.setdefault((phrase, context), path)
    return found


def catalogue(code: str) -> Catalog:
    """The catalogue as it stands."""
    with (LOCALE / code / "LC_MESSAGES" / "django.po").open("rb") as file:
        return pofile.read_po(file, locale=code)


def update(code: str) -> list[Phrase]:
    """Write the catalogue anew and compile it; return what has no translation."""
    old, folder = catalogue(code), LOCALE / code / "LC_MESSAGES"
    new = Catalog(
        locale=code, header_comment=old.header_comment, msgid_bugs_address="schedulerui", fuzzy=False
    )
    new.mime_headers = old.mime_headers
    for phrase, context in marked(sources(code)):
        known = old.get(key_of(phrase), context)
        kept = known.string if known and isinstance(known.id, tuple) is isinstance(phrase, tuple) else None
        new.add(phrase, kept or None, context=context)
    if {message.id for message in new} != {message.id for message in old}:
        with (folder / "django.po").open("wb") as file:
            pofile.write_po(file, new, no_location=True, width=120)
    with (folder / "django.mo").open("wb") as file:
        mofile.write_mo(file, new)
    return [_phrase(message) for message in new if message.id and not is_translated(message)]


def is_translated(message: Message) -> bool:
    """Whether each of its forms has a translation that somebody has looked at."""
    forms = message.string if isinstance(message.string, tuple | list) else (message.string,)
    return all(forms) and not message.fuzzy


def _phrase(message: Message) -> Phrase:
    return message.id if isinstance(message.id, str) else tuple(message.id)


def key_of(phrase: Phrase | list[str]) -> str:
    """What a catalogue knows a phrase by."""
    return phrase if isinstance(phrase, str) else phrase[0]


if __name__ == "__main__":
    missing = {code: update(code) for code in sorted(path.name for path in LOCALE.iterdir() if path.is_dir())}
    for language, phrases in missing.items():
        for each in phrases:
            print(f"{language}: {each!r} has no translation")
    sys.exit(1 if any(missing.values()) else 0)
