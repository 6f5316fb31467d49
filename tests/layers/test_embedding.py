"""One-hot inputs and embeddings are the same product; an output layer may share an embedding's table."""

import pytest
import torch
from torch import nn

from seqlab.layers.embedding import Embedding, OneHot, output_layer, token_input
from seqlab.layers.positions import PositionedEmbedding
from seqlab.special_tokens import PAD

TOKENS = torch.tensor([[4, 1, 6], [2, 0, 0]])


def test_a_layer_on_one_hot_vectors_is_a_lookup():
    layer = torch.nn.Linear(7, 5, bias=False)
    looked_up = torch.nn.functional.embedding(TOKENS, layer.weight.T)
    torch.testing.assert_close(layer(OneHot(7)(TOKENS)), looked_up)


def test_padding_is_zero():
    embedding = Embedding(7, 5)
    assert embedding(torch.tensor([[PAD]])).abs().sum() == 0


def test_without_a_width_inputs_are_one_hot():
    assert token_input(7, None).width == 7
    assert token_input(7, 3).width == 3


def test_a_tied_output_layer_shares_the_table():
    embedding = Embedding(503, 5)
    layer = output_layer(5, 503, tied_to=embedding)
    assert layer.weight is embedding.table.weight
    assert layer.weight[PAD].abs().sum() == 0
    torch.testing.assert_close(layer.weight.std().item(), 5**-0.5, rtol=0.05, atol=0)
    layer(embedding(TOKENS)).sum().backward()
    assert embedding.table.weight.grad[PAD].abs().sum() > 0  # as an output


def test_an_untied_output_layer_shares_nothing():
    assert output_layer(5, 7).weight.shape == (7, 5)


def test_an_embedding_that_cannot_be_tied_is_refused():
    with pytest.raises(
        ValueError, match="tied needs an embedding as wide as the output layer's input \\(5\\), but embedding is 3"
    ):
        output_layer(5, 7, tied_to=Embedding(7, 3))
    with pytest.raises(ValueError, match="tied needs a target embedding, but the inputs are one-hot"):
        output_layer(7, 7, tied_to=OneHot(7))


@pytest.mark.parametrize("width", [None, 3])
def test_dropout_is_applied_to_inputs_in_training_only(width):
    torch.manual_seed(0)
    layer, tokens = token_input(7, width, 0.75), torch.randint(4, 7, (11, 13))
    whole = layer.eval()(tokens)
    assert (whole != 0).sum() == 11 * 13 * (width or 1)
    dropped = layer.train()(tokens)
    kept = dropped != 0
    assert 0.15 < kept.sum().item() / (whole != 0).sum().item() < 0.35
    torch.testing.assert_close(dropped[kept], 4 * whole[kept])  # 1 / (1 − p)


def test_dropout_is_applied_to_positioned_embeddings_in_training_only():
    torch.manual_seed(0)
    tokens = torch.randint(4, 7, (11, 13))
    layer = PositionedEmbedding(Embedding(7, 3), None, dropout=0.75, scale=2.0)
    whole, dropped = (mode(layer)(tokens, torch.arange(13)) for mode in (nn.Module.eval, nn.Module.train))
    torch.testing.assert_close(whole, 2 * layer.tokens(tokens))
    assert 0.15 < (dropped != 0).float().mean().item() < 0.35
