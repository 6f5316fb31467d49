"""One-hot inputs and embeddings are the same product."""

import torch

from seqlab.layers.embedding import Embedding, OneHot, token_input
from seqlab.symbols import PAD

TOKENS = torch.tensor([[4, 1, 6], [2, 0, 0]])


def test_a_layer_on_one_hot_vectors_is_a_lookup():
    layer = torch.nn.Linear(7, 5, bias=False)
    looked_up = torch.nn.functional.embedding(TOKENS, layer.weight.T)
    torch.testing.assert_close(layer(OneHot(7)(TOKENS)), looked_up)


def test_padding_is_zero():
    embedding = Embedding(7, 5)
    assert embedding(torch.tensor([[PAD]])).abs().sum() == 0


def test_no_width_means_one_hot():
    assert token_input(7, None).width == 7
    assert token_input(7, 3).width == 3
