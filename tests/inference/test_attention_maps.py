"""Where a model looks in a text: the weights of its attention, with the tokens as text."""

import pytest
import torch

from seqlab.decoding import Greedy
from seqlab.errors import InputError
from seqlab.inference.predictor import Predictor
from seqlab.inference.streams import StreamFormat
from seqlab.models.fixed_vector import FixedVector
from seqlab.models.gpt import GPT
from seqlab.models.luong import Luong
from seqlab.models.transformer import Transformer
from seqlab.special_tokens import BOS, PAD
from seqlab.text.tokenizers import IntegerTokenizer

TOKENIZER = IntegerTokenizer(1, 9, 7)
SIZE = TOKENIZER.size


def predictor(model, stream=None):
    torch.manual_seed(1)
    return Predictor(model(SIZE, SIZE), TOKENIZER, TOKENIZER, Greedy(max_length=6), stream)


def luong(source, target):
    return Luong(source, target, width=8)


def transformer(source, target):
    return Transformer(source, target, width=8, heads=2, layers=2, feed_forward=8)


def gpt(source, target):
    return GPT(source, target, width=8, heads=2, layers=1, feed_forward=8)


@pytest.mark.parametrize("model", [luong, transformer, gpt])
def test_the_attention_of_a_text_is_that_of_the_model_on_its_ids(model):
    looking = predictor(model)
    look = looking.attention("3 1 2")
    assert look.source_tokens == ["3", "1", "2"]
    source, length = torch.tensor([looking.encode("3 1 2")]), torch.tensor([3])
    tokens = looking.model.generate(source, length, looking.search).tokens[:, 0]
    decoder_input = torch.nn.functional.pad(tokens, (1, 0), value=BOS)
    steps = len(look.output_tokens)
    assert steps in (len([i for i in tokens[0] if i != PAD]), len([i for i in tokens[0] if i != PAD]) + 1)
    maps = looking.model.attention_maps(source, length, decoder_input)
    assert look.maps
    for name, weights in look.maps.items():
        whole = maps.get(name, maps.get(f"{name}.core"))[0]
        torch.testing.assert_close(weights, whole[:, :steps, :3])


def test_texts_of_several_lengths_look_as_each_alone_does():
    looking = predictor(transformer)
    texts = ["3 1 2 5", "", "7"]
    looks = looking.attentions(texts)
    assert looks[1].source_tokens == []
    for text, look in zip(texts, looks, strict=True):
        if text:
            alone = looking.attention(text)
            assert look.output_tokens[: len(alone.output_tokens)] == alone.output_tokens
            for name, weights in alone.maps.items():
                torch.testing.assert_close(look.maps[name][:, : weights.size(1)], weights)


def test_a_model_without_attention_has_no_maps():
    assert predictor(lambda source, target: FixedVector(source, target, width=5)).attention("3 1").maps == {}


def test_where_there_is_no_source_to_look_at_that_is_said():
    with pytest.raises(InputError, match="there is no text"):
        predictor(luong).attention("")
    continuing = predictor(gpt, StreamFormat(boundaries="none", length=4))
    with pytest.raises(InputError, match="trained on plain text"):
        continuing.attention("3 1")
