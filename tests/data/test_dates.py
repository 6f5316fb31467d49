"""Spellings of dates, read back by the standard library's parser."""

import contextlib
import datetime
import re
from datetime import date

import numpy as np
import pytest

from seqlab.data.dates import SPELLINGS, WEEKDAYS, Dates, ordinal
from seqlab.text.tokenizers import CharacterTokenizer

FORMATS = (
    *("%d %B %Y", "%B %d, %Y", "%d of %B %Y", "the %d day of %B, %Y", "%A, %d %B %Y", "%A, %B %d, %Y", "%a %d %b %Y"),
    *("%d-%b-%Y", "%b/%d/%Y", "%Y %b %d", "%d. %m. %Y", "%Y/%m/%d", "%Y.%m.%d", "%d.%m.%Y", "%Y%m%d"),
)
ROMAN = ["I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII"]


def readings(text):
    """All dates that a text may mean, by any of the formats."""
    text = re.sub(r"(?<=\d)(st|nd|rd|th)", "", text)
    text = re.sub(r"(?<=\. )[IVX]+(?=\.)", lambda match: str(ROMAN.index(match.group()) + 1), text)
    found = set()
    for one in FORMATS:
        with contextlib.suppress(ValueError):
            found.add(datetime.datetime.strptime(text, one).date())
    return found


def days(first, last):
    return [date.fromordinal(i) for i in range(first.toordinal(), last.toordinal() + 1)]


def test_a_date_in_all_spellings():
    assert [spelling(date(2021, 3, 3)) for spelling in SPELLINGS] == [
        "3 March 2021",
        "March 3, 2021",
        "March 3rd, 2021",
        "3rd of March 2021",
        "the 3rd day of March, 2021",
        "Wednesday, 3 March 2021",
        "Wednesday, March 3rd, 2021",
        "Wed 03 Mar 2021",
        "3-Mar-2021",
        "Mar/03/2021",
        "2021 Mar 3",
        "3. III. 2021",
        "2021/3/3",
        "2021.03.03",
        "03.03.2021",
        "20210303",
    ]


def test_ordinals():
    expected = "1st 2nd 3rd 4th 10th 11th 12th 13th 14th 20th 21st 22nd 23rd 24th 30th 31st"
    assert [ordinal(int(text[:-2])) for text in expected.split()] == expected.split()


@pytest.mark.parametrize("form", range(len(SPELLINGS)))
def test_every_spelling_can_be_read_in_one_way_only(form):
    drawn = np.random.default_rng(form).integers(date(1000, 1, 1).toordinal(), date.max.toordinal(), 150).tolist()
    edges = [date(1900, 2, 28), date(2000, 2, 29), date(1999, 12, 31), date(2021, 5, 12), date(1000, 1, 1), date.max]
    for day in [*edges, *map(date.fromordinal, drawn)]:
        text = SPELLINGS[form](day)
        assert readings(text) == {day}
        named = [name for name in WEEKDAYS if re.search(rf"\b({name}|{name[:3]})\b", text)]
        assert named in ([], [f"{day:%A}"])


def test_no_two_spellings_of_any_dates_coincide():
    some = days(date(2020, 1, 1), date(2021, 12, 31))
    assert len({spelling(day) for day in some for spelling in SPELLINGS}) == len(some) * len(SPELLINGS)


def test_all_days_of_the_years_occur_and_no_others():
    data = Dates(CharacterTokenizer.fit, first_year=1999, last_year=2000, samples=731, split=(1.0, 0.0, 0.0))
    assert {pair.target for pair in data.pairs()["train"]} == {
        f"{day:%Y-%m-%d}" for day in days(date(1999, 1, 1), date(2000, 12, 31))
    }


def test_the_target_is_the_date_of_the_source():
    for pairs in Dates(CharacterTokenizer.fit, samples=200).pairs().values():
        for pair in pairs:
            assert {day.strftime("%Y-%m-%d") for day in readings(pair.source)} == {pair.target}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"first_year": 999}, "first_year must be 1000 to 9999, but is 999"),
        ({"first_year": 2100}, r"last_year must be first_year \(2100\) to 9999, but is 2099"),
        ({"last_year": 10000}, r"last_year must be first_year \(1900\) to 9999, but is 10000"),
    ],
)
def test_years_out_of_range_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Dates(CharacterTokenizer.fit, **settings)
