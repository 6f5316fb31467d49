import json
import logging

import numpy as np
import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from seqlab import paths
from seqlab.errors import InputError
from seqlab.kinds import Trust
from seqlab.special_tokens import BOS, EOS, PAD, SPECIALS, UNK
from seqlab.text.pairs import read_pairs
from seqlab.text.tokenizers import (
    UNKNOWN,
    ByteTokenizer,
    CharacterTokenizer,
    GraphemeTokenizer,
    IntegerTokenizer,
    SentencePieceTokenizer,
    WordTokenizer,
    from_json,
    matches_one,
    to_json,
)
from seqlab.text.tokenizers.subwords import sampled

TEXTS = [pair.target for pair in read_pairs(paths.phrasebook())]
SENTENCEPIECE = {algorithm: SentencePieceTokenizer.fit(TEXTS, 400, algorithm) for algorithm in ("bpe", "unigram")}
TOKENIZERS = {
    "character": CharacterTokenizer.fit(TEXTS),
    "grapheme": GraphemeTokenizer.fit(TEXTS),
    "word": WordTokenizer.fit(TEXTS, lower=True, min_frequency=2),
    "integer": IntegerTokenizer(-3, 13, 7),
    "filled": IntegerTokenizer(1, 13, 7, fill=True),
    "byte": ByteTokenizer(),
    **SENTENCEPIECE,
}
SAMPLES = {"integer": "-3 13 0", "filled": "13 1 7"}

LOSSLESS = [name for name, tokenizer in TOKENIZERS.items() if tokenizer.lossless]

every = pytest.mark.parametrize("name", TOKENIZERS)
sentencepiece = pytest.mark.parametrize("algorithm", SENTENCEPIECE)
examples = settings(max_examples=100)


class OwnTokenizer(CharacterTokenizer):
    """A user's own tokenizer, outside the package."""


def sample(name: str) -> str:
    return SAMPLES.get(name, "Tu as l’air fatigué !")


# What all tokenizers share


def test_the_four_special_tokens_are_the_first_ids():
    assert (PAD, BOS, EOS, UNK, SPECIALS) == (0, 1, 2, 3, 4)


@every
def test_encode_gives_only_ids_of_symbols_without_bos_and_eos(name):
    ids = TOKENIZERS[name].encode(sample(name))
    assert ids
    assert not {PAD, BOS, EOS} & set(ids)
    assert all(UNK <= i < TOKENIZERS[name].size for i in ids)


@every
def test_decode_leaves_pad_bos_and_eos_out(name):
    tokenizer = TOKENIZERS[name]
    ids = tokenizer.encode(sample(name))
    assert tokenizer.decode([BOS, *ids, EOS, PAD, PAD]) == tokenizer.decode(ids) != ""
    assert tokenizer.decode([BOS, EOS, PAD]) == ""


@every
def test_decode_shows_unk_plainly(name):
    tokenizer = TOKENIZERS[name]
    assert tokenizer.decode([UNK]) == UNKNOWN == "<unk>"
    assert UNKNOWN in tokenizer.decode([*tokenizer.encode(sample(name)), UNK])


@every
def test_a_tokenizer_survives_json(name):
    tokenizer = TOKENIZERS[name]
    again = from_json(json.loads(json.dumps(to_json(tokenizer))))
    assert type(again) is type(tokenizer)
    assert (again.size, again.state()) == (tokenizer.size, tokenizer.state())
    assert again.encode(sample(name)) == tokenizer.encode(sample(name))
    ids = list(range(SPECIALS, tokenizer.size))
    assert again.decode(ids) == tokenizer.decode(ids)


def test_a_users_tokenizer_survives_json_if_its_package_is_trusted():
    stored = json.loads(json.dumps(to_json(OwnTokenizer.fit(["cab"]))))
    package = __name__.partition(".")[0]
    with pytest.raises(InputError, match=rf"not trusted.*trust=\[{package}\]"):
        from_json(stored)
    again = from_json(stored, Trust.of([package]))
    assert type(again) is OwnTokenizer
    assert again.decode(again.encode("abc")) == "abc"


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        ("word", {"symbols": "abc"}, "symbols must be a list of texts"),
        ("word", {"symbols": ["a"] * 50 + [1]}, "symbols must be a list of texts"),
        ("word", {"symbols": [], "lower": 3}, "lower must be true or false, but is 3"),
        ("word", {"symbols": [], "more": 3}, "more: unknown key"),
        ("word", {"symbols": ["a", "a"]}, "a symbol twice"),
        ("word", {"symbols": [], "pattern": "(a"}, "pattern must be a regular expression"),
        ("word", {"symbols": [], "pattern": "(?:(?:a{1000}){1000}){1000}"}, "repeat counts multiply to more than"),
        ("word", {}, "symbols"),
        ("integer", {"smallest": 1, "largest": 2, "max_length": 10**12, "fill": True}, "max_length must be at most"),
        ("integer", {"smallest": 1.5, "largest": 2, "max_length": 3}, "smallest must be an integer, but is 1.5"),
        ("sentencepiece", {"model": "no base64!"}, "sentencepiece"),
        ("sentencepiece", {"model": "AAAA"}, "sentencepiece"),
        ("sentencepiece", {"model": 3}, "model must be text, but is 3"),
        ("bpe", {}, "unknown kind of tokenizer 'bpe'"),
        (None, {}, "unknown kind of tokenizer None"),
        ("a" * 10**6, {}, "unknown kind of tokenizer"),
    ],
)
def test_wrong_settings_of_a_tokenizer_are_refused_in_one_line(kind, settings, message):
    with pytest.raises(InputError, match=message) as error:
        from_json({"kind": kind, "form": [], "settings": settings})
    assert len(str(error.value)) < 400 and "\n" not in str(error.value)


@pytest.mark.parametrize(
    "stored", [None, [], "word", {}, {"kind": "byte"}, {"kind": "byte", "form": [], "settings": []}]
)
def test_json_that_describes_no_tokenizer_is_refused(stored):
    with pytest.raises(InputError, match="a tokenizer"):
        from_json(stored)


def test_a_users_pattern_is_matched_in_bounded_time(monkeypatch):
    assert WordTokenizer.fit(["ab cd"], pattern=r"\w{1,2}|\S").split("abc d") == ["ab", "c", "d"]
    monkeypatch.setattr("seqlab.text.patterns.SECONDS", 0.05)
    endless = WordTokenizer([], pattern=r"(?:a|a|b)*c(?:(?:x|x)*(?:x|x)*)*y")
    with pytest.raises(ValueError, match="takes more than"):
        endless.split("ab" * 20_000 + "c" + "x" * 5000)


def test_matches_one_ignores_what_the_tokenizer_does_not_keep():
    tokenizer = WordTokenizer.fit(["va-t'en !", "pars"], lower=True)
    references = ["Pars !", "Va-t'en !"]
    assert matches_one(tokenizer, "Pars !", references)
    assert matches_one(tokenizer, "va - t'en !", references)
    assert not matches_one(tokenizer, "va - t'en", references)
    assert not matches_one(tokenizer, "va - t'en !", [])


def test_matches_one_is_exact_where_the_tokenizer_is_lossless():
    tokenizer = CharacterTokenizer.fit(["Va !", "va !"])
    assert matches_one(tokenizer, "Va !", ["va !", "Va !"])
    assert not matches_one(tokenizer, "va !", ["Va !"])


def test_an_output_with_an_unknown_symbol_matches_nothing():
    tokenizer = WordTokenizer.fit(["va !"])
    output = tokenizer.decode(tokenizer.encode("pars !"))
    assert output == f"{UNKNOWN} !"
    assert not matches_one(tokenizer, output, ["pars !", "va !"])


def test_text_that_reads_like_an_unknown_symbol_matches_itself():
    assert matches_one(CharacterTokenizer("<unk>"), "<unk>", ["<unk>"])


def test_a_reference_that_cannot_be_encoded_matches_only_itself():
    tokenizer = IntegerTokenizer(1, 7, 3)
    assert not matches_one(tokenizer, "1 2", ["nineteen", "1 2 19"])
    assert matches_one(tokenizer, "1 2", ["nineteen", "1,  2"])


@pytest.mark.parametrize("name", LOSSLESS)
@examples
@given(parts=st.lists(st.text(st.sampled_from(" \n\ta.eé"), min_size=1), min_size=1, max_size=5))
def test_a_continuation_joins_the_text_before_it(name, parts):
    tokenizer = TOKENIZERS[name]
    if isinstance(tokenizer, CharacterTokenizer):
        tokenizer = type(tokenizer).fit(parts)
    ids = tokenizer.encode(parts[0])
    for part in parts[1:]:
        ids += tokenizer.continued(part)
    assert tokenizer.decode(ids) == "".join(parts)


def test_lossless_tokenizers_say_so():
    assert LOSSLESS == ["character", "grapheme", "byte", "bpe", "unigram"]


# Characters


@examples
@given(data=st.data(), alphabet=st.sets(st.characters(), min_size=1, max_size=29))
def test_characters_round_trip_over_their_alphabet(data, alphabet):
    tokenizer = CharacterTokenizer.fit(alphabet)
    text = data.draw(st.text(st.sampled_from(sorted(alphabet))))
    assert tokenizer.size == SPECIALS + len(alphabet)
    assert len(tokenizer.encode(text)) == len(text)
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_the_alphabet_is_in_code_point_order():
    tokenizer = CharacterTokenizer.fit(["ba ", "éa"])
    assert tokenizer.symbols == [" ", "a", "b", "é"]
    assert tokenizer.encode("bé") == [SPECIALS + 2, SPECIALS + 3]


def test_a_character_outside_the_alphabet_is_unk():
    tokenizer = CharacterTokenizer.fit(["abc"])
    assert tokenizer.encode("azc") == [SPECIALS, UNK, SPECIALS + 2]
    assert tokenizer.decode(tokenizer.encode("azc")) == f"a{UNKNOWN}c"


@pytest.mark.parametrize("cls", [CharacterTokenizer, WordTokenizer])
def test_a_vocabulary_with_a_symbol_twice_is_refused(cls):
    with pytest.raises(ValueError, match="twice"):
        cls(["a", "b", "a"])


# Words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("I'm here.", ["I'm", "here", "."]),
        ("aujourd'hui", ["aujourd'hui"]),
        ("qu’est-ce que c’est ?", ["qu’est", "-", "ce", "que", "c’est", "?"]),
        ("'quoted' words'", ["'", "quoted", "'", "words", "'"]),
        ("rock'n'roll!!", ["rock'n'roll", "!", "!"]),
        ("né\u202f: 3,5 œufs\t🎉", ["né", ":", "3", ",", "5", "œufs", "🎉"]),
        ("  ", []),
    ],
)
def test_words_are_split_at_marks_but_not_at_apostrophes_inside(text, words):
    assert WordTokenizer([]).split(text) == words


def test_words_are_ordered_by_frequency_then_alphabetically():
    tokenizer = WordTokenizer.fit(["d b b c", "c b a"])
    assert tokenizer.symbols == ["b", "c", "a", "d"]
    assert tokenizer.size == SPECIALS + 4
    assert tokenizer.encode("b d") == [SPECIALS, SPECIALS + 3]


@pytest.mark.parametrize(("frequency", "symbols"), [(1, ["b", "c", "a", "d"]), (2, ["b", "c"]), (3, ["b"]), (5, [])])
def test_rare_words_are_left_out(frequency, symbols):
    tokenizer = WordTokenizer.fit(["d b b c", "c b a"], min_frequency=frequency)
    assert tokenizer.symbols == symbols
    assert (UNK in tokenizer.encode("c")) == ("c" not in symbols)


def test_lower_merges_words_and_applies_to_new_text():
    texts = ["The the THE Éte"]
    assert WordTokenizer.fit(texts, lower=True).symbols == ["the", "éte"]
    assert sorted(WordTokenizer.fit(texts).symbols) == ["THE", "The", "the", "Éte"]
    tokenizer = WordTokenizer.fit(texts, lower=True)
    assert tokenizer.decode(tokenizer.encode("ÉTE tHe")) == "éte the"


def test_the_pattern_decides_what_a_word_is():
    tokenizer = WordTokenizer.fit(["ab-cd ef"], pattern=r"\S+")
    assert tokenizer.symbols == ["ab-cd", "ef"]
    assert tokenizer.decode(tokenizer.encode("ef   ab-cd")) == "ef ab-cd"


def test_a_pattern_with_groups_still_finds_whole_words():
    assert WordTokenizer.fit(["ab cd"], pattern=r"(\w)(\w)").symbols == ["ab", "cd"]


def test_a_pattern_that_is_no_regular_expression_is_refused():
    with pytest.raises(ValueError, match=r"pattern must be a regular expression, but is '\(\?P<'"):
        WordTokenizer([], pattern="(?P<")


def test_an_unknown_word_is_unk():
    tokenizer = WordTokenizer.fit(["to be or not"])
    assert tokenizer.encode("to eat")[1] == UNK
    assert tokenizer.decode(tokenizer.encode("to eat or drink")) == f"to {UNKNOWN} or {UNKNOWN}"


# Bytes


@examples
@given(text=st.text(st.characters(exclude_categories=["Cs"])))
def test_bytes_round_trip_any_text(text):
    ids = ByteTokenizer.fit([]).encode(text)
    assert [i - SPECIALS for i in ids] == list(text.encode())
    assert ByteTokenizer().decode(ids) == text


def test_a_part_of_a_character_shows_as_the_replacement_character():
    tokenizer = ByteTokenizer()
    assert tokenizer.decode(tokenizer.encode("né")[:-1]) == "n\ufffd"


def test_half_a_surrogate_pair_has_no_bytes():
    with pytest.raises(ValueError, match="surrogates not allowed"):
        ByteTokenizer().encode("\ud800")


# Integers


integers = st.tuples(st.integers(-99, 99), st.integers(0, 99), st.integers(1, 11))


@examples
@given(data=st.data(), bounds=integers)
def test_integers_round_trip(data, bounds):
    smallest, span, length = bounds
    tokenizer = IntegerTokenizer(smallest, smallest + span, length)
    numbers = data.draw(st.lists(st.integers(smallest, smallest + span), min_size=1, max_size=length))
    text = " ".join(map(str, numbers))
    assert tokenizer.size == SPECIALS + span + 1
    assert tokenizer.encode(text) == [n - smallest + 4 for n in numbers] == tokenizer.ids(np.array(numbers)).tolist()
    assert tokenizer.decode(tokenizer.encode(text)) == text


@examples
@given(data=st.data(), bounds=integers.filter(lambda b: not b[0] <= 0 <= b[0] + b[1]))
def test_filled_integers_round_trip_and_are_all_of_one_length(data, bounds):
    smallest, span, length = bounds
    tokenizer = IntegerTokenizer(smallest, smallest + span, length, fill=True)
    numbers = data.draw(st.lists(st.integers(smallest, smallest + span), min_size=1, max_size=length))
    text = " ".join(map(str, numbers))
    ids = tokenizer.encode(text)
    assert tokenizer.size == SPECIALS + span + 2
    assert tokenizer.filler == tokenizer.size - 1
    assert ids == [n - smallest + 4 for n in numbers] + [tokenizer.filler] * (length - len(numbers))
    assert tokenizer.decode(ids) == text


def test_the_filler_zero_is_shown_inside_and_dropped_at_the_end():
    tokenizer = IntegerTokenizer(3, 5, 7, fill=True)
    assert tokenizer.filler == 7
    assert tokenizer.decode([7, 4, 7, 6, 7, 7]) == "0 3 0 5"
    assert tokenizer.decode([7, 7]) == ""


def test_without_fill_there_is_no_filler():
    assert IntegerTokenizer(1, 5, 7).filler is None


@pytest.mark.parametrize("text", ["3 1 2", "3,1,2", " 3, 1 ,2 ", "3\t1\n2"])
def test_integers_are_separated_by_spaces_or_commas(text):
    assert IntegerTokenizer(1, 3, 3).encode(text) == [6, 4, 5]


@pytest.mark.parametrize("fill", [False, True])
@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("5 16 1", ["16", "3..15"]),
        ("2", ["2", "3..15"]),
        ("-4", ["-4", "3..15"]),
        ("0", ["0", "3..15"]),
        ("5 seven", ["'seven'", "3..15"]),
        ("5 1.5", ["'1.5'", "3..15"]),
        ("3 4 5 6 7 8", ["6", "5"]),
        ("", ["1 to 5", "3..15"]),
        (" , ", ["1 to 5", "3..15"]),
    ],
)
def test_a_wrong_sequence_is_refused_with_its_value_and_what_was_expected(text, parts, fill):
    with pytest.raises(ValueError, match="expected") as error:
        IntegerTokenizer(3, 15, 5, fill).encode(text)
    assert all(part in str(error.value) for part in parts)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((5, 4, 3), r"largest must be at least smallest \(5\), but is 4"),
        ((1, 4, 0), "max_length must be at least 1, but is 0"),
        ((-1, 4, 3, True), r"fill needs zero outside .* -1\.\.4"),
        ((0, 4, 3, True), r"fill needs zero outside .* 0\.\.4"),
    ],
)
def test_contradictory_limits_are_refused_with_their_values(arguments, message):
    with pytest.raises(ValueError, match=message):
        IntegerTokenizer(*arguments)


# Subwords


@sentencepiece
@examples
@given(text=st.text(st.characters(exclude_characters="\0\u2581", exclude_categories=["Cs"])))
def test_subwords_round_trip_any_text(algorithm, text):
    tokenizer = SENTENCEPIECE[algorithm]
    ids = tokenizer.encode(text)
    assert UNK not in ids
    assert tokenizer.decode(ids) == text


@sentencepiece
@examples
@given(text=st.text(" \n\r\tae.\u00a0\u200b\u3000\ufeff"))
def test_subwords_round_trip_any_white_space(algorithm, text):
    tokenizer = SENTENCEPIECE[algorithm]
    assert tokenizer.decode(tokenizer.encode(text)) == text


@sentencepiece
@pytest.mark.parametrize("text", ["", "<unk>", "<s>a</s>", "<pad>", "<0x41>", UNKNOWN, "ﬁ e\u0301 ①", "日本語"])
def test_subwords_do_not_normalise_text(algorithm, text):
    tokenizer = SENTENCEPIECE[algorithm]
    ids = tokenizer.encode(text)
    assert not {PAD, BOS, EOS, UNK} & set(ids)
    assert tokenizer.decode(ids) == text


@sentencepiece
def test_subwords_have_the_requested_size_and_are_fewer_than_the_characters(algorithm):
    tokenizer = SENTENCEPIECE[algorithm]
    assert tokenizer.size == 400
    assert sum(len(tokenizer.encode(text)) for text in TEXTS) < 0.7 * sum(map(len, TEXTS))


@sentencepiece
def test_learning_subwords_twice_gives_the_same(algorithm):
    assert SentencePieceTokenizer.fit(TEXTS, 400, algorithm).state() == SENTENCEPIECE[algorithm].state()


def test_the_algorithms_differ():
    assert SENTENCEPIECE["bpe"].encode(TEXTS[-1]) != SENTENCEPIECE["unigram"].encode(TEXTS[-1])


@sentencepiece
def test_a_vocabulary_too_large_for_the_texts_is_lowered_with_a_warning(algorithm, caplog):
    with caplog.at_level(logging.WARNING):
        tokenizer = SentencePieceTokenizer.fit(["a few words", "and few more"], 5000, algorithm)
    assert SPECIALS + 256 < tokenizer.size < 400
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert f"from 5000 to {tokenizer.size}" in record.getMessage()
    assert tokenizer.decode(tokenizer.encode("more words")) == "more words"


@sentencepiece
@pytest.mark.parametrize("size", [1, 3, 100, 262])
def test_a_vocabulary_too_small_for_the_characters_is_refused(algorithm, size):
    with pytest.raises(InputError, match=f"cannot train a vocabulary of {size}: ."):
        SentencePieceTokenizer.fit(TEXTS, size, algorithm)


@sentencepiece
@pytest.mark.parametrize("texts", [[], [""]])
def test_subwords_of_no_text_are_refused(algorithm, texts):
    with pytest.raises(InputError, match="cannot train a vocabulary of 400"):
        SentencePieceTokenizer.fit(texts, 400, algorithm)


def test_subwords_learn_from_long_texts_too():
    assert SentencePieceTokenizer.fit([" ".join(TEXTS)], 400).size == 400


def test_subwords_are_learnt_from_a_sample_of_limited_size():
    texts = [f"text number {i} of many" for i in range(2000)]
    sample = sampled(iter(texts), 5000)
    assert 2000 < sum(map(len, sample)) <= 5000
    assert sample == sorted(sample, key=texts.index)
    assert sample == sampled(texts, 5000)
    places = np.array([texts.index(text) for text in sample])
    assert 0.4 < (places < 1000).mean() < 0.6
    assert sampled(texts, 10**9) == texts
    assert sampled(["one text that is too long"], 5) == ["one text that is too long"]


def test_a_small_sample_gives_other_subwords():
    assert SentencePieceTokenizer.fit(TEXTS, 400, sample=3000).state() != SENTENCEPIECE["bpe"].state()


def test_skipped_merges_keep_the_text_and_cost_tokens():
    bpe = SENTENCEPIECE["bpe"]
    counts = []
    for dropout in (0.0, 0.1, 0.5, 0.999):
        dropping = bpe.dropping(dropout, seed=1)
        ids = [dropping.encode(text) for text in TEXTS]
        assert [bpe.decode(one) for one in ids] == TEXTS
        counts.append(sum(map(len, ids)))
    assert counts[0] == sum(len(bpe.encode(text)) for text in TEXTS)
    assert counts == sorted(set(counts))
    assert counts[-1] > 0.97 * sum(len(text) + 1 for text in TEXTS), "hardly a merge is left"


def test_skipped_merges_depend_only_on_the_seed_and_the_index_of_the_text():
    first, again, other = (SENTENCEPIECE["bpe"].dropping(0.3, seed) for seed in (1, 1, 2))
    drawn = [first.encode(text) for text in TEXTS]
    assert drawn != [other.encode(text) for text in TEXTS]
    assert [again.encode(text if number % 2 else "another") for number, text in enumerate(TEXTS)][1::2] == drawn[1::2]
    assert len({tuple(first.encode(TEXTS[-1])) for _ in range(20)}) > 5, "each time anew"


def test_skipped_merges_work_for_continued_text():
    bpe = SENTENCEPIECE["bpe"]
    dropping = bpe.dropping(0.5, seed=1)
    for text in TEXTS[:50]:
        assert bpe.decode(dropping.encode(text) + dropping.continued("s and so on")) == text + "s and so on"


def test_a_unigram_model_has_no_merges_to_skip():
    with pytest.raises(ValueError, match="byte-pair encoding"):
        SENTENCEPIECE["unigram"].dropping(0.1, seed=1)


FAMILY, FLAG, WAVE = "👩‍👩‍👧", "🇫🇷", "👋🏽"


def test_graphemes_are_never_cut():
    text = f"न\u093fम\u094dन e\u0301 {FAMILY}{FLAG}{WAVE}\r\n"
    tokenizer = GraphemeTokenizer.fit([text])
    parts = [tokenizer.decode([i]) for i in tokenizer.encode(text)]
    assert "".join(parts) == text
    assert parts == [*regex.findall(r"\X", text)]
    assert {"e\u0301", FAMILY, FLAG, WAVE, "\r\n"} <= set(parts)
    assert len(CharacterTokenizer.fit([text]).encode(text)) > len(parts)


def test_a_grapheme_that_training_lacks_is_unknown_as_a_whole():
    tokenizer = GraphemeTokenizer.fit(["e a\u0301"])
    assert tokenizer.encode("e\u0301a\u0301") == [UNK, tokenizer.encode("a\u0301")[0]]
    assert tokenizer.unknown("e\u0301") == ["e\u0301"]
    again = from_json(to_json(tokenizer))
    assert type(again) is GraphemeTokenizer and again.symbols == tokenizer.symbols
