"""A text as it comes: where it ends, how it is chosen, and that it is what a search finds as a whole."""

import itertools
from dataclasses import replace

import pytest
import torch
from omegaconf import OmegaConf
from support import ROOT

from seqlab.config.bundle_settings import read_generate
from seqlab.decoding import Beam, Greedy, Sample
from seqlab.errors import InputError
from seqlab.inference.bundle import Predictor
from seqlab.inference.generation import SENTENCE_END, Meter, decoded_pieces, generated_tokens, search_of, with_new_seed
from seqlab.inference.streams import StreamFormat
from seqlab.models.fixed_vector import FixedVector
from seqlab.models.gpt import GPT
from seqlab.special_tokens import BOS, EOS
from seqlab.text.tokenizers import CharacterTokenizer

LETTERS = CharacterTokenizer("abcde .")
SIZES = {"source_size": LETTERS.size, "target_size": LETTERS.size}
NOTHING = {"decoding": None, "length": None, "temperature": None, "top_k": None, "top_p": None, "seed": None}
NOTHING |= {"run": str(ROOT / "outputs/reference/reversal/gpt"), "prompt": "", "trust": [], "stop": "length"}


def settings_of(settings):
    """Settings of `seqlab-generate`, read as Hydra gives them."""
    config = OmegaConf.create(NOTHING | settings)
    OmegaConf.set_struct(config, True)
    return read_generate(config)


def predictor(stream=None, model=GPT, search=None):
    torch.manual_seed(2)
    sizes = {"width": 12, "heads": 3, "layers": 2, "max_positions": 40} if model is GPT else {"width": 12}
    own = model(**SIZES, **sizes)
    with torch.no_grad():
        for parameter in own.parameters():
            parameter.uniform_(-0.7, 0.7)
    return Predictor(own, LETTERS, LETTERS, search or Greedy(max_length=13), stream)


def stream(boundaries="none", length=7):
    return StreamFormat(boundaries=boundaries, length=length)


@pytest.mark.parametrize("model", [GPT, FixedVector])
@pytest.mark.parametrize("search", [Greedy(max_length=23), Sample(max_length=23, top_k=4, seed=5)])
def test_the_tokens_that_come_are_those_that_the_search_finds(model, search):
    own = predictor(stream(), model, search)
    given = own.encode("abba ")
    ((whole,),) = own.generate([given])
    assert (
        "".join(decoded_pieces(generated_tokens(own, given, search, stop_at_eos=False), LETTERS, given)) == whole.text
    )
    answering = predictor(model=model, search=search)
    ((whole,),) = answering.generate([given])
    assert (
        "".join(decoded_pieces(generated_tokens(answering, given, search, stop_at_eos=False), LETTERS)).removesuffix(
            "\n"
        )
        == whole.text
    )


def test_after_the_end_of_a_sentence_another_begins():
    own = predictor(stream("sentence"))
    given, search = own.encode("ab"), Sample(max_length=19, temperature=1.5, seed=2)
    tokens = list(generated_tokens(own, given, search, stop_at_eos=False))
    assert len(tokens) == 19
    assert EOS in tokens[:-1]
    assert list(generated_tokens(own, given, search, stop_at_eos=True)) == tokens[: tokens.index(EOS) + 1]
    draws = torch.rand(1, 19, generator=torch.Generator().manual_seed(2))
    seen = given
    for token, draw in zip(tokens, draws[0], strict=True):
        logits = own.model(torch.zeros(1, 1, dtype=torch.long), torch.tensor([0]), torch.tensor([seen]))[:, -1]
        assert int(search.drawn(search.log_probabilities(logits, 0), draw[None])) == token
        for read in [EOS, BOS] if token == EOS else [token]:
            seen = [*seen, read] if len(seen) < 7 else [*seen[-2:], read]


def test_a_stream_without_ends_never_ends_and_an_answer_does():
    own = predictor(stream())
    own.model.output.bias.data[EOS] = 50.0
    assert EOS not in list(generated_tokens(own, [5, 6], Greedy(max_length=9), stop_at_eos=True))
    own.stream = None
    assert list(generated_tokens(own, [5, 6], Greedy(max_length=9), stop_at_eos=False)) == [EOS]


def test_a_line_ends_where_a_sentence_does():
    ids = LETTERS.encode
    assert "".join(decoded_pieces([*ids("ab"), EOS, *ids("c"), EOS], LETTERS)) == "ab\nc\n"
    assert "".join(decoded_pieces(ids("ab. c"), LETTERS)) == "ab. c"


def test_marks_end_a_sentence_where_nothing_else_does():
    endless = itertools.cycle(LETTERS.encode("ab. c"))
    assert "".join(decoded_pieces(endless, LETTERS, LETTERS.encode("a."), at_mark=True)) == "ab."


@pytest.mark.parametrize("text", ["a.", "?", "Oh!” ", "so …", "(No.)\n", "'Yes.'"])
def test_a_sentence_ends_with_a_mark(text):
    assert SENTENCE_END.search(text)


@pytest.mark.parametrize("text", ["", "a", ".a", ", ", "a. b", "”"])
def test_nothing_else_ends_a_sentence(text):
    assert not SENTENCE_END.search(text)


BEAM = {"_target_": "seqlab.decoding.Beam", "max_length": None}
SAMPLE = {"_target_": "seqlab.decoding.Sample", "max_length": None}
GREEDY = {"_target_": "seqlab.decoding.Greedy", "max_length": None}


@pytest.mark.parametrize(
    ("settings", "own", "continuing", "answering"),
    [
        ({}, Greedy(max_length=13), Sample(max_length=200), Greedy(max_length=13)),
        ({}, Beam(max_length=13), Sample(max_length=200), Greedy(max_length=13)),
        ({}, Sample(max_length=13, top_k=4, n_best=3), Sample(max_length=200, top_k=4), Sample(max_length=13, top_k=4)),
        ({"length": 5}, Greedy(max_length=13), Sample(max_length=5), Greedy(max_length=5)),
        ({"top_k": 4, "seed": 9, "length": 5}, Greedy(max_length=13), *[Sample(max_length=5, top_k=4, seed=9)] * 2),
        ({"temperature": 0, "top_k": 4}, Sample(max_length=13), Greedy(max_length=200), Greedy(max_length=13)),
        ({"decoding": {**SAMPLE, "top_k": 4}, "length": 5}, Beam(max_length=13), *[Sample(max_length=5, top_k=4)] * 2),
        ({"decoding": {**SAMPLE, "temperature": 0}, "length": 5}, Beam(max_length=13), *[Greedy(max_length=5)] * 2),
        ({"decoding": {**SAMPLE, "top_k": 4}, "top_k": 3, "length": 5}, Beam(max_length=13))
        + (Sample(max_length=5, top_k=3),) * 2,
        ({"decoding": GREEDY, "length": 5}, Sample(max_length=13), *[Greedy(max_length=5)] * 2),
        (
            {},
            Beam(max_length=13, min_length=3),
            Sample(max_length=200, min_length=3),
            Greedy(max_length=13, min_length=3),
        ),
        (
            {"temperature": 0, "length": 5},
            Sample(max_length=13, min_length=7),
            *[Greedy(max_length=5, min_length=5)] * 2,
        ),
        ({"temperature": 0, "decoding": {"min_length": 4}, "length": 5}, Sample(max_length=13))
        + (Greedy(max_length=5, min_length=4),) * 2,
    ],
)
def test_a_search_is_chosen_as_a_user_would_expect(settings, own, continuing, answering):
    read = settings_of(settings)
    assert search_of(read, predictor(stream(), search=own)) == continuing
    assert search_of(read, predictor(search=own)) == answering


@pytest.mark.parametrize(
    ("settings", "own", "new"),
    [
        ({}, Sample(max_length=13, seed=5), True),
        ({"top_k": 4}, Greedy(max_length=13), True),
        ({"seed": 5}, Greedy(max_length=13), False),
        ({"decoding": {**SAMPLE, "seed": 5}}, Greedy(max_length=13), False),
        ({"temperature": 0}, Sample(max_length=13), False),
    ],
)
def test_without_a_seed_each_text_is_another(settings, own, new):
    read = settings_of(settings)
    search = search_of(read, predictor(stream(), search=own))
    others = {with_new_seed(search, read) for _ in range(9)}
    assert len(others) == (9 if new else 1)
    assert {replace(one, seed=5) if new else one for one in others} == {replace(search, seed=5) if new else search}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"length": 0}, "length must be an integer of at least 1 or null, but is 0"),
        ({"length": 2.5}, r"length must be an integer of at least 1 or null, but is 2\.5"),
        ({"temperature": -1}, "temperature must be 1e-6 to 1e6, but is -1"),
        ({"top_k": "many"}, r"decoding\.top_k must be an integer"),
        ({"decoding": GREEDY, "top_k": 3}, r"decoding\.top_k: unknown key; Greedy takes"),
        ({"temperature": 0, "decoding": {"min_length": 999}}, "min_length"),
        ({"decoding": BEAM}, "Beam cannot give its output token by token; choose greedy or sample"),
        ({"decoding": {**SAMPLE, "n_best": 3}}, r"decoding\.n_best must be 1, .* but is 3"),
    ],
)
def test_what_cannot_be_told_as_it_comes_is_refused(settings, message):
    with pytest.raises(InputError, match=message):
        search_of(settings_of(settings), predictor(stream()))


def test_a_setting_that_the_search_here_does_not_take_is_refused_in_its_name():
    settings = settings_of({"decoding": {"size": 3}})
    with pytest.raises(
        InputError, match=r"decoding\.size: unknown key; the search here is Greedy, which takes max_len"
    ):
        search_of(settings, predictor(search=Beam(max_length=13)))


def test_tokens_are_counted_as_they_come():
    meter = Meter()
    assert list(itertools.islice(meter.over(itertools.count()), 7)) == list(range(7))
    assert meter.summary().startswith("7 tokens in 0.0 s, ")


def test_text_that_is_shown_as_it_comes_keeps_its_unknown_words():
    own = predictor(search=Greedy(max_length=9, replace_unknown=True))
    assert not search_of(settings_of({}), own).replace_unknown
    with pytest.raises(InputError, match="see seqlab-predict"):
        search_of(settings_of({"decoding": {"replace_unknown": True}}), own)
