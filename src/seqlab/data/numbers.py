"""Numbers to words in English, French and German: `fr 91` becomes `quatre-vingt-onze`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from seqlab.data.generated import GeneratedPairs
from seqlab.text.pairs import Pair
from seqlab.text.tokenizers import Fit

LARGEST = 999_999
"""From a million on, each language needs further words and rules."""

ENGLISH = (
    *("", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
ENGLISH_TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
FRENCH = (
    *("", "un", "deux", "trois", "quatre", "cinq", "six", "sept", "huit", "neuf", "dix", "onze", "douze", "treize"),
    *("quatorze", "quinze", "seize", "dix-sept", "dix-huit", "dix-neuf"),
)
FRENCH_TENS = ("", "", "vingt", "trente", "quarante", "cinquante", "soixante", "soixante", "quatre-vingt")
GERMAN = (
    *("", "ein", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun", "zehn", "elf", "zwölf"),
    *("dreizehn", "vierzehn", "fünfzehn", "sechzehn", "siebzehn", "achtzehn", "neunzehn"),
)
GERMAN_TENS = ("", "", "zwanzig", "dreißig", "vierzig", "fünfzig", "sechzig", "siebzig", "achtzig", "neunzig")


def _english_below_thousand(number: int) -> str:
    hundreds, rest = divmod(number, 100)
    tens, units = divmod(rest, 10)
    words = [ENGLISH[hundreds], "hundred"] if hundreds else []
    if rest < 20:
        words.append(ENGLISH[rest])
    else:
        words.append(ENGLISH_TENS[tens] + (f"-{ENGLISH[units]}" if units else ""))
    return " ".join(filter(None, words))


def english(number: int) -> str:
    """In American English, without "and": 1999 is "one thousand nine hundred ninety-nine"."""
    thousands, rest = divmod(number, 1000)
    words = [_english_below_thousand(thousands), "thousand"] if thousands else []
    return " ".join(filter(None, [*words, _english_below_thousand(rest)]))


def _french_below_hundred(number: int) -> str:
    if number < 20:
        return FRENCH[number]
    # Seventy is sixty-ten, ninety is four-twenty-ten: up to 79 and 99 one counts on from 60 and 80.
    tens = number // 10 - (number >= 70 and number // 10 % 2)
    rest = number - 10 * tens
    if rest == 0:
        return FRENCH_TENS[tens]
    # 21, 31 … 61 and 71 have "et"; 81 and 91 do not.
    return FRENCH_TENS[tens] + (" et " if rest in (1, 11) and tens < 8 else "-") + FRENCH[rest]


def _french_below_thousand(number: int) -> str:
    hundreds, rest = divmod(number, 100)
    words = [FRENCH[hundreds] if hundreds > 1 else "", "cent" if hundreds else "", _french_below_hundred(rest)]
    return " ".join(filter(None, words))


def french(number: int) -> str:
    """As in France, in the traditional spelling, with hyphens only below a hundred and not beside "et": 1971 is
    "mille neuf cent soixante et onze".

    "quatre-vingt" and "cent" after a factor have a plural s only at the very end: quatre-vingts, deux cents, but deux
    cent un, deux cent mille.
    """
    thousands, rest = divmod(number, 1000)
    words = [_french_below_thousand(thousands) if thousands > 1 else "", "mille" if thousands else ""]
    plural = rest % 100 == 80 or (rest % 100 == 0 and rest >= 200)
    return " ".join(filter(None, [*words, _french_below_thousand(rest)])) + "s" * plural


def _german_below_thousand(number: int) -> str:
    hundreds, rest = divmod(number, 100)
    word = f"{GERMAN[hundreds]}hundert" if hundreds else ""
    if rest < 20:
        return word + GERMAN[rest]
    tens, units = divmod(rest, 10)
    return word + (f"{GERMAN[units]}und" if units else "") + GERMAN_TENS[tens]


def german(number: int) -> str:
    """In one word, with "ein" before "hundert" and "tausend": 1101 is "eintausendeinhunderteins".

    A one at the end is "eins", before another part "ein".
    """
    thousands, rest = divmod(number, 1000)
    word = f"{_german_below_thousand(thousands)}tausend" if thousands else ""
    return word + _german_below_thousand(rest) + "s" * (number % 100 == 1)


WORDS: dict[str, Callable[[int], str]] = {"en": english, "fr": french, "de": german}
"""By language: the words of a number from 1 to `LARGEST`."""


class Numbers(GeneratedPairs):
    """Source: a number in digits; target: the same in words. No number appears in two splits, in any language.

    Zero is left out: its word appears in no other number, so that it could not be learnt from others.

    Args:
        language: "en", "fr", "de", or "all": then the source begins with the language, as in "fr 91".
        largest: numbers are drawn evenly from 1 to this.

    Raises:
        ValueError: an unknown language, or `largest` is out of range; else as `GeneratedPairs`.
    """

    things = "numbers"

    def __init__(
        self,
        tokenizer: Fit,
        language: Literal["en", "fr", "de", "all"] = "all",
        largest: int = 9999,
        **drawing: Any,
    ) -> None:
        if language not in ("all", *WORDS):
            raise ValueError(f"language must be {', '.join(WORDS)} or all, but is {language!r}")
        if not 1 <= largest <= LARGEST:
            raise ValueError(f"largest must be 1 to {LARGEST}, but is {largest}")
        self.languages = list(WORDS) if language == "all" else [language]
        super().__init__(tokenizer, range(1, largest + 1), len(self.languages), **drawing)
        if language != "all":
            self.target_language = self.target_language or language
        self.largest = largest

    def describe(self) -> str:
        return f"numbers 1 to {self.largest:,} to words ({', '.join(self.languages)})"

    def fingerprint(self) -> dict[str, Any]:
        return {**super().fingerprint(), "languages": self.languages}

    def pair(self, item: int, form: int) -> Pair:
        language = self.languages[form]
        return Pair(f"{language} {item}" if len(self.languages) > 1 else f"{item}", WORDS[language](item))
