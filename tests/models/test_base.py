"""What an architecture is given for its two methods."""

from dataclasses import replace

import torch

from seqlab.layers.packing import EVERYWHERE
from seqlab.models.fixed_vector import FixedVector

V, W, D, E = 11, 13, 7, 5


class Unaware(FixedVector):
    """It computes the logits of padding, too."""

    def decode(self, tokens, state):
        logits, state = super().decode(tokens, replace(state, packing=EVERYWHERE))
        assert logits.dim() == 3
        return logits, state


def test_the_logits_of_padding_are_left_out_even_if_they_were_computed():
    torch.manual_seed(0)
    model = Unaware(V, W, width=D, embedding=E)
    source, lengths, tokens = torch.full((3, 2), 5), torch.tensor([2, 1, 2]), torch.randint(4, W, (3, 5))
    real = torch.arange(5) < torch.tensor([[2], [5], [1]])
    torch.testing.assert_close(model(source, lengths, tokens, real), model(source, lengths, tokens)[real])
