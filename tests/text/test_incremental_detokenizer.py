"""Text decoded token by token adds up to the text of all tokens, and never has half a character in it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqlab.special_tokens import BOS, EOS, UNK
from seqlab.text.incremental_detokenizer import GrowingText, text_after
from seqlab.text.tokenizers import (
    ByteTokenizer,
    CharacterTokenizer,
    IntegerTokenizer,
    SentencePieceTokenizer,
    WordTokenizer,
)

TEXT = "the dog ran to the dog, and  the cat slept"
TOKENIZERS = {
    "bytes": ByteTokenizer(),
    "characters": CharacterTokenizer.fit([TEXT]),
    "words": WordTokenizer.fit([TEXT]),
    "pieces": SentencePieceTokenizer.fit([TEXT] * 9, vocabulary_size=300),
    "integers": IntegerTokenizer(1, 9, 9, fill=True),
}


def emitted(tokenizer, before, ids):
    text = GrowingText(tokenizer, before)
    return [text.add(i) for i in ids], text.rest()


@pytest.mark.parametrize("name", TOKENIZERS)
@settings(max_examples=200)
@given(data=st.data())
def test_emitted_pieces_add_up_to_the_whole_text(name, data):
    tokenizer = TOKENIZERS[name]
    some = st.lists(st.integers(UNK, tokenizer.size - 1), max_size=9)
    before, ids = data.draw(some), data.draw(some)
    pieces, rest = emitted(tokenizer, before, ids)
    assert "".join(pieces) + rest == text_after(tokenizer, before, ids)
    assert "".join(emitted(tokenizer, [], ids)[0]) + emitted(tokenizer, [], ids)[1] == tokenizer.decode(ids)


def test_a_character_is_emitted_with_its_last_byte():
    pieces = TOKENIZERS["pieces"]
    ids = pieces.encode("a €!")
    assert len(ids) == 7  # a space before all, a, a space, three bytes, the mark
    assert emitted(pieces, [], ids) == (["", "a", " ", "", "", "€", "!"], "")
    assert emitted(pieces, [], ids[:5]) == (["", "a", " ", "", ""], "\ufffd\ufffd")


def test_spaces_come_between_tokens_and_after_the_prompt():
    words, pieces = TOKENIZERS["words"], TOKENIZERS["pieces"]
    assert emitted(words, [BOS, *words.encode("the")], words.encode("dog ran")) == ([" dog", " ran"], "")
    assert "".join(emitted(pieces, [BOS, *pieces.encode("the dog")], pieces.encode("ran to"))[0]) == " ran to"
    assert "".join(emitted(pieces, [], pieces.encode("ran to"))[0]) == "ran to"


def test_an_unknown_symbol_is_emitted_at_once():
    letters = TOKENIZERS["characters"]
    assert emitted(letters, [], letters.encode("a?c")) == (["a", "<unk>", "c"], "")
    assert emitted(letters, letters.encode("a?"), letters.encode("c")) == (["c"], "")


@pytest.mark.parametrize("special", [BOS, EOS])
def test_special_tokens_emit_nothing(special):
    letters = TOKENIZERS["characters"]
    assert emitted(letters, [special], [*letters.encode("a"), special, *letters.encode("c")]) == (["a", "", "c"], "")


def test_a_character_that_begins_in_the_prompt_is_completed():
    pieces = TOKENIZERS["pieces"]
    euro = pieces.encode("a €")
    assert text_after(pieces, euro[:-1], euro[-1:]) == "€"
