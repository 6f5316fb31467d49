"""Unknown words are replaced by the source words that a model looks at."""

from dataclasses import dataclass

import pytest
import torch
from torch import nn

from seqlab.decoding import Beam, Greedy
from seqlab.errors import InputError
from seqlab.inference.bundle import Predictor
from seqlab.inference.unknown_words import check_replacing, outputs_as_text
from seqlab.layers.attention import ScoredAttention, padding_mask
from seqlab.layers.state import State
from seqlab.models.bahdanau import Bahdanau
from seqlab.models.base import Seq2Seq
from seqlab.models.fixed_vector import FixedVector
from seqlab.models.gpt import GPT
from seqlab.models.transformer import Transformer
from seqlab.special_tokens import BOS, EOS, UNK
from seqlab.text.forms import pair_form
from seqlab.text.tokenizers import CharacterTokenizer, WordTokenizer

SOURCE = WordTokenizer.fit(["a b c d e ."])
TARGET = WordTokenizer.fit(["a b c ."])


class Backwards(ScoredAttention):
    """At step t of a source of S words it looks at word S − 1 − t."""

    def keys(self, memory):
        return memory

    def scores(self, queries, keys):
        places = torch.arange(keys.size(1))
        return -10.0 * (queries - places).abs()


@dataclass(frozen=True)
class Place(State):
    next: torch.Tensor
    memory: torch.Tensor
    lengths: torch.Tensor


class Copier(Seq2Seq):
    """Says UNK for every word of the source, and then ends."""

    def __init__(self, source_size, target_size):
        super().__init__(source_size, target_size)
        self.attention = Backwards()
        self.scale = nn.Parameter(torch.ones(()))

    def encode(self, source, source_lengths):
        return Place(torch.zeros_like(source_lengths), source[..., None].float(), source_lengths)

    def decode(self, tokens, state):
        steps = state.next[:, None] + torch.arange(tokens.size(1))
        queries = (state.lengths[:, None] - 1 - steps)[..., None].float()
        self.attention(queries, state.memory, state.memory, padding_mask(state.lengths, state.memory.size(1)))
        logits = torch.zeros(*tokens.shape, self.target_size)
        said = torch.where(steps < state.lengths[:, None], UNK, EOS)
        logits.scatter_(2, said[..., None], 9.0)
        return logits * self.scale, Place(steps[:, -1] + 1, state.memory, state.lengths)


def predictor(search, model=None, source=SOURCE, target=TARGET):
    return Predictor(model or Copier(source.size, target.size), source, target, search)


TEXTS = ["Anna b Zoë", "d", "Tim e Ben Ina d"]


@pytest.mark.parametrize(
    "search", [Greedy(max_length=9, replace_unknown=True), Beam(max_length=9, size=2, n_best=2, replace_unknown=True)]
)
def test_an_unknown_word_becomes_the_word_that_was_looked_at(search):
    assert predictor(search).predict(TEXTS) == ["Zoë b Anna", "d", "d Ina Ben e Tim"]


def test_the_words_are_those_of_the_text_that_the_model_reads():
    source = WordTokenizer.fit(["a b c d e ."])
    source.form = pair_form("NFKC")
    own = predictor(Greedy(max_length=9, replace_unknown=True), source=source)
    assert own.predict(["\u200fAnna… \ufeffb\u200e ﬁn"]) == ["fin b . . . Anna"]


def test_without_the_setting_it_stays_unknown():
    assert predictor(Greedy(max_length=9)).predict(["Anna b"]) == ["<unk> <unk>"]


def test_known_words_stay():
    model, ids = Copier(SOURCE.size, TARGET.size), [TARGET.encode("a")[0], UNK]
    source = torch.tensor([SOURCE.encode("Anna b Zoë")])
    said = outputs_as_text(
        *(Greedy(max_length=9, replace_unknown=True), model, (SOURCE, TARGET), source),
        *(torch.tensor([3]), ["Anna b Zoë"], torch.tensor([[ids]])),
    )
    assert said == [["a b"]]


@pytest.mark.parametrize(
    ("model", "more"),
    [(Bahdanau, {}), (Transformer, {"heads": 1, "layers": 2}), (GPT, {"heads": 1, "layers": 2, "max_positions": 29})],
)
@pytest.mark.parametrize("length", [2, 3, 5])
def test_every_architecture_with_attention_says_where_it_looked(model, more, length):
    torch.manual_seed(1)
    own = model(SOURCE.size, TARGET.size, width=7, **more).eval()
    text = "Anna Zoë Tim"
    source, lengths = torch.tensor([SOURCE.encode(text)]), torch.tensor([3])
    tokens = torch.full((1, 1, length), UNK)
    search = Greedy(max_length=9, replace_unknown=True)
    ((output,),) = outputs_as_text(search, own, (SOURCE, TARGET), source, lengths, [text], tokens)
    assert len(output.split()) == length and set(output.split()) <= set(text.split())
    told = torch.tensor([[BOS, *[UNK] * (length - 1)]])
    maps = own.attention_maps(torch.nn.functional.pad(source, (0, 4)), lengths, told)
    looks = torch.stack(
        [one.mean(1)[..., :3] for one in maps.values() if one.shape[-2:] in ((length, 7), (length, 7 + length))]
    )
    assert output.split() == [text.split()[i] for i in looks.mean(0)[0].argmax(-1)]


def test_a_source_as_long_as_its_output_may_fill_the_positions_of_a_model():
    torch.manual_seed(1)
    sizes = {"width": 7, "heads": 1, "layers": 1, "positions": "learned", "max_positions": 3}
    filled = Transformer(SOURCE.size, TARGET.size, **sizes).eval()
    ids, text = torch.full((1, 2, 3), UNK), "Anna Zoë Tim"
    search = Greedy(max_length=3, replace_unknown=True)
    source, lengths = torch.tensor([SOURCE.encode(text)]), torch.tensor([3])
    ((first, second),) = outputs_as_text(search, filled, (SOURCE, TARGET), source, lengths, [text], ids)
    assert first == second and set(first.split()) <= set(text.split())


CHARACTERS = CharacterTokenizer("abc")


@pytest.mark.parametrize(
    ("model", "source", "target", "sources", "message"),
    [
        (Copier, CHARACTERS, TARGET, True, "needs words, but the source's tokenizer is a CharacterTokenizer"),
        (Copier, SOURCE, CHARACTERS, True, "needs words, but the target's tokenizer is a CharacterTokenizer"),
        (Copier, SOURCE, TARGET, False, "no sources"),
        (FixedVector, SOURCE, TARGET, True, "FixedVector has no attention"),
    ],
)
def test_what_cannot_be_replaced_is_refused(model, source, target, sources, message):
    own = model(source.size, target.size)
    with pytest.raises(InputError, match=message):
        check_replacing(Greedy(max_length=9, replace_unknown=True), own, source, target, sources)
    check_replacing(Greedy(max_length=9), own, source, target, sources)


def test_a_predictor_refuses_too():
    own = predictor(Greedy(max_length=9, replace_unknown=True), FixedVector(SOURCE.size, TARGET.size, width=8))
    with pytest.raises(InputError, match="no attention"):
        own.predict(["a"])
