"""Steps that a text goes through before it becomes tokens."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqlab.errors import InputError
from seqlab.text.forms import PAIRS, STEPS, checked, formed, normalised, pair_form
from seqlab.text.tokenizers import (
    ByteTokenizer,
    CharacterTokenizer,
    IntegerTokenizer,
    SentencePieceTokenizer,
    from_json,
    to_json,
)

ODD = "Iıİnﬁé\u00ad\n \u2028\ufeff\u3000\t\r\f\v\x85\u200b\u200f\u2067\u2069\ufb01A\u0301"


@pytest.mark.parametrize("form", [*((name,) for name in STEPS), PAIRS, ("normalised", "single_spaces")])
@settings(max_examples=50)
@given(text=st.text(alphabet=ODD, max_size=9))
def test_steps_are_idempotent(form, text):
    assert formed(formed(text, form), form) == formed(text, form)


@settings(max_examples=50)
@given(st.text(alphabet=ODD + "\ud800", max_size=9))
def test_without_steps_every_character_stays(text):
    assert formed(text, ()) == text


@pytest.mark.parametrize(
    ("form", "text", "expected"),
    [
        (PAIRS, " \ufeffne\u0301 a\ufeff\tb\u3000", "né a\tb"),
        (PAIRS, "\u202bلا أعرف\u200f.\u200f\u200f\u202c", "لا أعرف."),
        (PAIRS, "\u2067שלום\u2069\u061c क्\u200dष नि\u200cम", "שלום क्\u200dष नि\u200cम"),  # joiners are letters' own
        (("normalised",), "ﬁne\u00a0te\u00ad\nxt  \r\nOn ", "fine text\nOn "),
        (pair_form("NFKC"), "　ｶﾞﾗｽ ﬁn ①", "ガラス fin 1"),
        (pair_form("NFC"), "ｶﾞ ﬁ", "ｶﾞ ﬁ"),
        (pair_form(lower_turkish=True), "ISPARTA ve I\u0307stanbul, ÇAĞ", "ısparta ve istanbul, çağ"),
        (("single_spaces",), "\n a \n\n b ", "a b "),
        (("single_spaces",), " \n ", ""),
    ],
)
def test_forms(form, text, expected):
    assert formed(text, form) == expected


def test_soft_hyphens_without_end_take_linear_time_and_memory():
    seen = 0
    for line in normalised("ab\u00ad\n" for _ in range(100_000)):
        assert len(line) < 70_000
        seen += len(line.strip())
    assert seen == 200_000


@pytest.mark.parametrize("tokenizer", [CharacterTokenizer("éx"), ByteTokenizer(), IntegerTokenizer(1, 3, 5)])
def test_a_tokenizer_keeps_its_form_as_json(tokenizer):
    tokenizer.form = PAIRS
    again = from_json(to_json(tokenizer))
    assert again.form == PAIRS
    assert "form" not in again.vocabulary()
    with pytest.raises(InputError, match="'shouted'; known are composed"):
        from_json({**to_json(tokenizer), "form": ["shouted"]})
    assert checked([]) == ()


def test_read_applies_the_form():
    tokenizer = CharacterTokenizer("e\u0301é")
    decomposed = unicodedata.normalize("NFD", "é")
    assert len(tokenizer.read(decomposed)) == 2
    tokenizer.form = PAIRS
    assert tokenizer.read(decomposed) == tokenizer.encode("é")


def test_half_a_surrogate_pair_is_refused():
    for tokenizer in (CharacterTokenizer("a"), ByteTokenizer()):
        with pytest.raises(ValueError, match=r"not valid Unicode text: '\\ud800' at character 2"):
            tokenizer.read("a\ud800")


def test_sentencepiece_learns_from_texts_with_a_character_that_it_reserves():
    # It silently ignores such texts, so that their letters would be unknown to it.
    tokenizer = SentencePieceTokenizer.fit(["xyz ▅"] * 9, vocabulary_size=265)
    assert len(tokenizer.encode("xyz")) < 5
    assert tokenizer.decode(tokenizer.encode("xyz ▅")) == "xyz ▅"


def test_sentencepieces_space_sign_in_a_text_is_warned_of_once(caplog):
    tokenizer = SentencePieceTokenizer.fit(["a b"] * 9, vocabulary_size=265)
    assert caplog.messages == []
    assert tokenizer.decode(tokenizer.read("a▁b")) == "a b"
    tokenizer.read("a▁b")
    assert [message for message in caplog.messages if "U+2581" in message] == caplog.messages
    assert len(caplog.messages) == 1
