"""Reads the words of a crontab back, in any language, into what they claim.

It knows what each English phrase means, and finds the phrase in a language through its catalog. It tries
every way of reading a text: words that can be read in two ways give two claims.
"""

from __future__ import annotations

import string
from dataclasses import dataclass
from functools import lru_cache

from schedulerui.recurrence.phrases import MONTHS, WEEKDAYS

ALL_DAYS, ALL_WEEKDAYS, ALL_MONTHS = frozenset(range(1, 32)), frozenset(range(7)), frozenset(range(1, 13))
DAY = 24 * 60


@dataclass(frozen=True)
class Claim:
    """Wall times in minutes of the day, whether both passes of a repeated hour count, which days, a claimed gap."""

    times: frozenset[int]
    follows_clock: bool
    days: tuple[str, frozenset[int], frozenset[int], frozenset[int]]
    gap: int | None = None


def days_claim(how, months, numbers, weekdays):
    """Return which days, in one form for what is the same."""
    if how == "or" and (len(numbers) == 31 or len(weekdays) == 7):
        how, numbers, weekdays = "and", ALL_DAYS, ALL_WEEKDAYS
    return (how, frozenset(months), frozenset(numbers), frozenset(weekdays))


EACH_DAY = days_claim("and", ALL_MONTHS, ALL_DAYS, ALL_WEEKDAYS)


@lru_cache(maxsize=4096)
def _parsed(pattern):
    return [(literal, name) for literal, name, _, _ in string.Formatter().parse(pattern)]


def splits(pattern, text):
    """Yield each way in which the text fills the places of the pattern."""
    yield from _splits(_parsed(pattern), text)


def _splits(parts, text):
    if not parts:
        return iter([] if text else [{}])
    (literal, name), *others = parts
    if not text.startswith(literal):
        return iter([])
    text = text[len(literal) :]
    if name is None:
        return _splits(others, text)
    return _filled(name, others, text)


def _filled(name, others, text):
    """Yield each way to end the place called `name` before what follows it."""
    if not others:
        if text:
            yield {name: text}
        return
    following, at = others[0][0], 0
    while (at := text.find(following, at + 1)) > 0:
        for found in _splits(others, text[at:]):
            yield {name: text[:at], **found}


class Reader:
    def __init__(self, language):
        self.language = language
        self.months = {self.one(name): number for number, name in enumerate(MONTHS, 1)}
        self.weekdays = {self.one(name): number for number, name in enumerate(WEEKDAYS)}
        self.forms: dict[str, dict[str, set[int]]] = {}

    def one(self, phrase):
        return self.language.translation.gettext(phrase)

    def match(self, phrase, text):
        return splits(self.one(phrase), text)

    def match_counted(self, one, many, text):
        """Yield (numbers that the form is for, places) for each plural form that fits."""
        if one not in self.forms:
            forms = self.forms[one] = {}
            for n in range(1, 61):
                forms.setdefault(self.language.translation.ngettext(one, many, n), set()).add(n)
        for form, numbers in self.forms[one].items():
            for found in splits(form, text):
                yield numbers, found

    def match_n(self, one, many, text):
        """Yield (n, places) where the text itself says n."""
        for numbers, found in self.match_counted(one, many, text):
            if "n" in found:
                if found["n"].isdigit() and int(found["n"]) in numbers:
                    yield int(found["n"]), found
            elif len(numbers) == 1:
                yield next(iter(numbers)), found

    def claims(self, text):
        """Return every claim that the text can be read as."""
        found = {Claim(times, follows, EACH_DAY, gap) for times, follows, gap in self.times(text)}
        for parts in self.match("{times} {days}", text):
            whens, days = set(self.times(parts["times"])), self.days(parts["days"])
            found |= {Claim(times, follows, day, gap) for times, follows, gap in whens for day in days}
        return found

    def times(self, text):
        yield from self._every(text)
        yield from self._from_to(text)
        for parts in self.match("At {times}", text):
            for clocks in self.listed(parts["times"], self.clock):
                yield frozenset(clocks), False, None
        for phrase, follows in (("{minutes} of {hours}", True), ("{minutes} past {hours}", False)):
            for parts in self.match(phrase, text):
                for minutes in self.minutes(parts["minutes"]):
                    for hours in self.hours(parts["hours"]):
                        yield frozenset(h * 60 + m for h in hours for m in minutes), follows, None

    def _every(self, text):
        if text == self.one("Every minute"):
            yield frozenset(range(DAY)), True, 1
        for parts in self.match("Every hour at {minute}", text):
            yield frozenset(range(self.past(parts["minute"]), DAY, 60)), True, 60
        for n, _ in self.match_n("Every {n} minute", "Every {n} minutes", text):
            yield frozenset(h * 60 + m for h in range(24) for m in range(0, 60, n)), True, n
        for n, parts in self.match_n(
            "Every {n} minute from {minute}", "Every {n} minutes from {minute}", text
        ):
            if parts["minute"].startswith(":"):
                first = self.past(parts["minute"])
                yield frozenset(h * 60 + m for h in range(24) for m in range(first, 60, n)), True, n
        for n, parts in self.match_n("Every {n} hour from {first}", "Every {n} hours from {first}", text):
            for first in self.clock(parts["first"]):
                yield frozenset(range(first, DAY, n * 60)), True, n * 60

    def _from_to(self, text):
        found = [(1, True, parts) for parts in self.match("Each minute from {first} to {last}", text)]
        found += [(60, False, parts) for parts in self.match("Hourly from {first} to {last}", text)]
        each = "Each {n} minute from {first} to {last}", "Each {n} minutes from {first} to {last}"
        found += [(n, True, parts) for n, parts in self.match_n(*each, text)]
        at = "At {first} to {last} in steps of {n} minute", "At {first} to {last} in steps of {n} minutes"
        found += [(n, False, parts) for n, parts in self.match_n(*at, text)]
        for n, follows, parts in found:
            for first in self.clock(parts["first"]):
                for last in self.clock(parts["last"]):
                    times = range(first, last + 1, n)
                    if times and times[-1] == last:
                        yield frozenset(times), follows, None

    def minutes(self, text):
        for parts in self.match("At :{minute:02}", text):
            if len(parts["minute"]) == 2 and parts["minute"].isdigit():
                yield (int(parts["minute"]),)
        for parts in self.match("At minutes {minutes}", text):
            yield from self.listed(parts["minutes"], self.number)

    def hours(self, text):
        if text == self.one("each hour"):
            yield tuple(range(24))
        for numbers, parts in self.match_counted("hour {hours}", "the hours {hours}", text):
            yield from (hours for hours in self.listed(parts["hours"], self.hour) if len(hours) in numbers)

    def days(self, text):
        """Return every set of days that the text can be read as."""
        found = {EACH_DAY} if text == self.one("each day") else set()
        for parts in self.match("each day in {months}", text):
            found |= {days_claim("and", m, ALL_DAYS, ALL_WEEKDAYS) for m in self.month_list(parts["months"])}
        for parts in self.match("on {weekdays}", text):
            found |= {
                days_claim("and", ALL_MONTHS, ALL_DAYS, w) for w in self.weekday_list(parts["weekdays"])
            }
        for parts in self.match("on {weekdays} in {months}", text):
            months, weekdays = self.month_list(parts["months"]), self.weekday_list(parts["weekdays"])
            found |= {days_claim("and", m, ALL_DAYS, w) for m in months for w in weekdays}
        for months, numbers in self.numbered(text):
            found.add(days_claim("and", months, numbers, ALL_WEEKDAYS))
        return found | self._either(text) | self._only_if(text)

    def _either(self, text):
        wholes = [(text, [ALL_MONTHS])]
        wholes += [
            (parts["days"], self.month_list(parts["months"]))
            for parts in self.match("{days}, only in {months}", text)
        ]
        found = set()
        for days, months in wholes:
            for parts in self.match("{numbers} or on {weekdays}", days):
                for all_months, numbers in self.numbered(parts["numbers"]):
                    for weekdays in self.weekday_list(parts["weekdays"]):
                        assert all_months == ALL_MONTHS
                        found |= {days_claim("or", m, numbers, weekdays) for m in months}
        return found

    def _only_if(self, text):
        found = set()
        for parts in self.match("{days}, only if it is {weekday}", text):
            for months, numbers in self.numbered(parts["days"]):
                for which in self.match("a {weekday}", parts["weekday"]):
                    for items in self.items(which["weekday"], "{these} or {last}"):
                        if all(item in self.weekdays for item in items):
                            weekdays = [self.weekdays[item] for item in items]
                            found.add(days_claim("and", months, numbers, weekdays))
        return found

    def numbered(self, text):
        """Yield (months, days of the month)."""
        of = self.match_counted("on day {days} of {months}", "on days {days} of {months}", text)
        for count, parts in of:
            for numbers in self.listed(parts["days"], self.number):
                for months in self.month_list(parts["months"]) if len(numbers) in count else ():
                    yield frozenset(months), frozenset(numbers)
        any_month = self.match_counted("on day {days} of the month", "on days {days} of the month", text)
        for count, parts in any_month:
            for numbers in self.listed(parts["days"], self.number):
                if len(numbers) in count:
                    yield ALL_MONTHS, frozenset(numbers)

    def items(self, text, pattern="{these} and {last}"):
        comma = self.one("{these}, {following}")[len("{these}") : -len("{following}")]
        yield [text]
        for parts in self.match(pattern, text):
            if parts["last"]:
                yield [*parts["these"].split(comma), parts["last"]]

    def listed(self, text, atom):
        """Return every list of numbers, each item one that `atom` reads or a run of them."""
        found = set()
        for parts in self.match("{first} to {last} in steps of {step}", text):
            for first in atom(parts["first"]):
                for last in atom(parts["last"]) if parts["step"].isdigit() else ():
                    values = tuple(range(first, last + 1, int(parts["step"])))
                    if values and values[-1] == last:
                        found.add(values)
        for items in self.items(text):
            read = [self._run(item, atom) for item in items]
            if all(read):
                found.add(tuple(value for values in read for value in values))
        return found

    def _run(self, item, atom):
        if single := atom(item):
            return single
        for parts in self.match("{first} to {last}", item):
            for first in atom(parts["first"]):
                for last in atom(parts["last"]):
                    return list(range(first, last + 1))
        return []

    def month_list(self, text):
        return self._names(text, self.months, 1, 12)

    def weekday_list(self, text):
        return self._names(text, self.weekdays, 0, 7)

    def _names(self, text, names, low, size):
        """Return every set of names, where `a to b` goes round."""
        found = set()
        for items in self.items(text):
            if all(item in names for item in items):
                found.add(frozenset(names[item] for item in items))
        for parts in self.match("{first} to {last}", text):
            if parts["first"] in names and parts["last"] in names:
                first, last = names[parts["first"]], names[parts["last"]]
                found.add(frozenset((first - low + n) % size + low for n in range((last - first) % size + 1)))
        return found

    def number(self, text):
        return [int(text)] if text.isdigit() else []

    def hour(self, text):
        if not self.language.clock12:
            return self.number(text)
        halves = ((0, "{clock} AM"), (12, "{clock} PM"))
        return [
            int(parts["clock"]) % 12 + more
            for more, phrase in halves
            for parts in self.match(phrase, text)
            if parts["clock"].isdigit() and 1 <= int(parts["clock"]) <= 12
        ]

    def clock(self, text):
        """Return the minute of the day, in a list that is empty for anything else."""
        colon = text.find(":")
        hours, minutes = text[:colon], text[colon + 1 : colon + 3]
        if colon < 1 or not (minutes.isdigit() and len(minutes) == 2):
            return []
        if not self.language.clock12 and (len(hours) != 2 or len(text) != 5):
            return []
        return [hour * 60 + int(minutes) for hour in self.hour(hours + text[colon + 3 :])]

    def past(self, text):
        return int(text.removeprefix(":"))
