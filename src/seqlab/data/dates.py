"""Dates in many spellings, to be written as ISO 8601 has them: `Wed 03 Mar 2021` becomes `2021-03-03`."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from typing import Any

from seqlab.data.generated import GeneratedPairs
from seqlab.text.pairs import Pair
from seqlab.text.tokenizers import Fit

MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
ROMAN = ("I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII")


def ordinal(day: int) -> str:
    """The day with its English ending: 1st, 2nd, 3rd, 4th, 11th, 21st."""
    ending = "th" if 11 <= day <= 13 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
    return f"{day}{ending}"


def month(date: datetime.date) -> str:
    """The English name of its month. (`strftime` would take the language of the machine.)"""
    return MONTHS[date.month - 1]


def weekday(date: datetime.date) -> str:
    """The English name of its day of the week."""
    return WEEKDAYS[date.weekday()]


SPELLINGS: tuple[Callable[[datetime.date], str], ...] = (
    lambda d: f"{d.day} {month(d)} {d.year}",
    lambda d: f"{month(d)} {d.day}, {d.year}",
    lambda d: f"{month(d)} {ordinal(d.day)}, {d.year}",
    lambda d: f"{ordinal(d.day)} of {month(d)} {d.year}",
    lambda d: f"the {ordinal(d.day)} day of {month(d)}, {d.year}",
    lambda d: f"{weekday(d)}, {d.day} {month(d)} {d.year}",
    lambda d: f"{weekday(d)}, {month(d)} {ordinal(d.day)}, {d.year}",
    lambda d: f"{weekday(d)[:3]} {d.day:02} {month(d)[:3]} {d.year}",
    lambda d: f"{d.day}-{month(d)[:3]}-{d.year}",
    lambda d: f"{month(d)[:3]}/{d.day:02}/{d.year}",
    lambda d: f"{d.year} {month(d)[:3]} {d.day}",
    lambda d: f"{d.day}. {ROMAN[d.month - 1]}. {d.year}",
    lambda d: f"{d.year}/{d.month}/{d.day}",
    lambda d: f"{d.year}.{d.month:02}.{d.day:02}",
    lambda d: f"{d.day:02}.{d.month:02}.{d.year}",
    lambda d: f"{d.year}{d.month:02}{d.day:02}",
)
"""All spellings of a date. No two of them ever coincide, and each belongs to one date only.

To keep it so, years have four digits, and there is no 03/04/2021, which is in March or in April, depending on the
country. Of numbers alone, the year comes first, then month and day; after dots it may come last, as in German:
day, month, year.
"""


LONGEST_SPELLING = 40
"""No spelling has more characters."""


def iso_of(text: str) -> str | None:
    """The date that a text in one of `SPELLINGS` means, in ISO 8601; None if it is in none of them."""
    if len(text) > LONGEST_SPELLING:
        return None
    years = {int(digits) for digits in re.findall(r"(?=([1-9][0-9]{3}))", text)}
    for year in sorted(years):
        for day in range(datetime.date(year, 1, 1).toordinal(), datetime.date(year, 12, 31).toordinal() + 1):
            date = datetime.date.fromordinal(day)
            if any(spelling(date) == text for spelling in SPELLINGS):
                return date.isoformat()
    return None


class Dates(GeneratedPairs):
    """Source: a date in one of `SPELLINGS`; target: the date in ISO 8601. No date appears in two splits.

    Args:
        first_year, last_year: dates are drawn evenly from these years and all between.

    Raises:
        ValueError: years without four digits, or in the wrong order; else as `GeneratedPairs`.
    """

    things = "dates"

    def __init__(self, tokenizer: Fit, first_year: int = 1900, last_year: int = 2099, **drawing: Any) -> None:
        if not 1000 <= first_year <= 9999:
            raise ValueError(f"first_year must be 1000 to 9999, but is {first_year}")
        if not first_year <= last_year <= 9999:
            raise ValueError(f"last_year must be first_year ({first_year}) to 9999, but is {last_year}")
        first, last = datetime.date(first_year, 1, 1), datetime.date(last_year, 12, 31)
        days = range(first.toordinal(), last.toordinal() + 1)
        super().__init__(tokenizer, days, len(SPELLINGS), **drawing)
        self.first_year, self.last_year = first_year, last_year

    def describe(self) -> str:
        return f"dates of {self.first_year} to {self.last_year} in {self.forms} spellings, to ISO 8601"

    def pair(self, item: int, form: int) -> Pair:
        """The day with this proleptic Gregorian ordinal, in a spelling."""
        date = datetime.date.fromordinal(item)
        return Pair(SPELLINGS[form](date), date.isoformat())
