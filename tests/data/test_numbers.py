"""Number words: cases worked out by hand, and a reader that was written apart from the rules."""

import re

import numpy as np
import pytest

from seqlab.data.numbers import WORDS, Numbers
from seqlab.text.tokenizers import CharacterTokenizer

BY_HAND = {
    1: ("one", "un", "eins"),
    7: ("seven", "sept", "sieben"),
    10: ("ten", "dix", "zehn"),
    11: ("eleven", "onze", "elf"),
    16: ("sixteen", "seize", "sechzehn"),
    17: ("seventeen", "dix-sept", "siebzehn"),
    20: ("twenty", "vingt", "zwanzig"),
    21: ("twenty-one", "vingt et un", "einundzwanzig"),
    22: ("twenty-two", "vingt-deux", "zweiundzwanzig"),
    30: ("thirty", "trente", "dreißig"),
    61: ("sixty-one", "soixante et un", "einundsechzig"),
    70: ("seventy", "soixante-dix", "siebzig"),
    71: ("seventy-one", "soixante et onze", "einundsiebzig"),
    77: ("seventy-seven", "soixante-dix-sept", "siebenundsiebzig"),
    80: ("eighty", "quatre-vingts", "achtzig"),
    81: ("eighty-one", "quatre-vingt-un", "einundachtzig"),
    90: ("ninety", "quatre-vingt-dix", "neunzig"),
    91: ("ninety-one", "quatre-vingt-onze", "einundneunzig"),
    99: ("ninety-nine", "quatre-vingt-dix-neuf", "neunundneunzig"),
    100: ("one hundred", "cent", "einhundert"),
    101: ("one hundred one", "cent un", "einhunderteins"),
    116: ("one hundred sixteen", "cent seize", "einhundertsechzehn"),
    180: ("one hundred eighty", "cent quatre-vingts", "einhundertachtzig"),
    200: ("two hundred", "deux cents", "zweihundert"),
    201: ("two hundred one", "deux cent un", "zweihunderteins"),
    1000: ("one thousand", "mille", "eintausend"),
    1001: ("one thousand one", "mille un", "eintausendeins"),
    1100: ("one thousand one hundred", "mille cent", "eintausendeinhundert"),
    1101: ("one thousand one hundred one", "mille cent un", "eintausendeinhunderteins"),
    1999: (
        "one thousand nine hundred ninety-nine",
        "mille neuf cent quatre-vingt-dix-neuf",
        "eintausendneunhundertneunundneunzig",
    ),
    2000: ("two thousand", "deux mille", "zweitausend"),
    3080: ("three thousand eighty", "trois mille quatre-vingts", "dreitausendachtzig"),
    6700: ("six thousand seven hundred", "six mille sept cents", "sechstausendsiebenhundert"),
    21_000: ("twenty-one thousand", "vingt et un mille", "einundzwanzigtausend"),
    80_000: ("eighty thousand", "quatre-vingt mille", "achtzigtausend"),
    101_000: ("one hundred one thousand", "cent un mille", "einhunderteintausend"),
    200_000: ("two hundred thousand", "deux cent mille", "zweihunderttausend"),
    999_999: (
        "nine hundred ninety-nine thousand nine hundred ninety-nine",
        "neuf cent quatre-vingt-dix-neuf mille neuf cent quatre-vingt-dix-neuf",
        "neunhundertneunundneunzigtausendneunhundertneunundneunzig",
    ),
}

UNITS = {
    "en": "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
    " eighteen nineteen",
    "fr": "un deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze seize",
    "de": "eins zwei drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn fünfzehn sechzehn siebzehn"
    " achtzehn neunzehn",
}
TENS = {
    "en": "twenty thirty forty fifty sixty seventy eighty ninety",
    "fr": "vingt trente quarante cinquante soixante",
    "de": "zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig",
}
MARKS = {"en": ("hundred", "thousand"), "fr": ("cent", "mille"), "de": ("hundert", "tausend")}


def parts(language, text):
    """The words that a number is made of."""
    if language != "de":
        return [re.sub("(?<=vingt|.cent)s$", "", word) for word in re.split("[ -]", text) if word != "et"]
    # The longest word first: "siebzehn" before "sieben", "eins" before "ein"; "und" only joins.
    known = [*UNITS["de"].split(), *TENS["de"].split(), *MARKS["de"], "ein"]
    found = re.findall("|".join([*sorted(known, key=len, reverse=True), "und", "."]), text)
    assert "".join(found) == text
    return [word for word in found if word != "und"]


def read(language, text):
    """The number that a text says, by adding up its words."""
    values = {word: i for i, word in enumerate(UNITS[language].split(), 1)} | {"ein": 1}
    values |= {word: 10 * i for i, word in enumerate(TENS[language].split(), 2)}
    hundred, thousand = MARKS[language]
    total = below = 0
    for word in parts(language, re.sub("(?<=cent)s$", "", text)):
        if word == thousand:
            total, below = 1000 * max(1, below), 0
        elif word == hundred:
            below = 100 * max(1, below)
        elif word == "vingt" and below % 100 == 4:
            below += 76
        else:
            below += values[word]
    return total + below


@pytest.mark.parametrize("number", BY_HAND)
def test_words_by_hand(number):
    assert tuple(WORDS[language](number) for language in ("en", "fr", "de")) == BY_HAND[number]


@pytest.mark.parametrize("language", WORDS)
def test_words_say_their_number(language):
    large = np.random.default_rng(1).integers(10_000, 1_000_000, 2000).tolist()
    for number in [*range(1, 10_000), *large]:
        assert read(language, WORDS[language](number)) == number


def drawn(**settings):
    return [pair for pairs in Numbers(CharacterTokenizer.fit, **settings).pairs().values() for pair in pairs]


@pytest.mark.parametrize("language", WORDS)
def test_one_language_has_sources_of_digits_alone(language):
    pairs = drawn(language=language, largest=300, samples=300)
    assert {pair.source: pair.target for pair in pairs} == {str(n): WORDS[language](n) for n in range(1, 301)}


def test_of_all_languages_the_source_says_which():
    pairs = drawn(largest=200, samples=500)
    assert {pair.source[:3] for pair in pairs} == {"en ", "fr ", "de "}
    for pair in pairs:
        language, number = pair.source.split()
        assert read(language, pair.target) == int(number)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"language": "it"}, "language must be en, fr, de or all, but is 'it'"),
        ({"largest": 0}, "largest must be 1 to 999999, but is 0"),
        ({"largest": 1_000_000}, "largest must be 1 to 999999, but is 1000000"),
    ],
)
def test_wrong_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Numbers(CharacterTokenizer.fit, **settings)


def test_bleu_is_computed_for_the_language_that_is_chosen():
    assert Numbers(CharacterTokenizer.fit, language="fr").target_language == "fr"
    assert Numbers(CharacterTokenizer.fit).target_language is None
