"""The languages in which rules are said, as their compiled catalogs give them."""

from __future__ import annotations

import gettext
from dataclasses import dataclass
from pathlib import Path

import schedulerui

LOCALE = Path(schedulerui.__file__).parent / "locale"
TRANSLATED = ("de", "ar")


@dataclass(frozen=True)
class Language:
    """A code, gettext's two functions, and whether clocks are read up to twelve."""

    code: str
    translation: gettext.NullTranslations
    clock12: bool = False

    @property
    def options(self):
        """What describe and notices take."""
        return {
            "translate": self.translation.gettext,
            "translate_plural": self.translation.ngettext,
            "clock12": self.clock12,
        }


def language(code, *, clock12=False):
    if code == "en":
        return Language(code, gettext.NullTranslations(), clock12)
    return Language(code, gettext.translation("django", LOCALE, [code]), clock12)


LANGUAGES = [
    language("en"),
    language("en", clock12=True),
    language("de"),
    language("ar"),
    language("ar", clock12=True),
]
