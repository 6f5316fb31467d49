"""What an architecture is given for its two methods."""

from dataclasses import replace

import pytest
import torch

from seqlab.decoding import Greedy
from seqlab.errors import InputError
from seqlab.layers.packing import EVERYWHERE
from seqlab.models.base import parameter_count
from seqlab.models.fixed_vector import FixedVector
from seqlab.models.gpt import GPT

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


@pytest.mark.parametrize(("length", "read"), [(3, 3), (5, 5), (6, 5), (11, 5)])
def test_of_a_prompt_longer_than_the_window_the_last_tokens_that_fit_are_read(length, read):
    torch.manual_seed(1)
    model = GPT(V, W, width=12, heads=3, layers=2, max_positions=7, dropout=0.0).eval()
    source, lengths, prompt = torch.tensor([[4, 5], [6, 0]]), torch.tensor([2, 1]), torch.randint(4, W, (2, length))
    with torch.inference_mode():
        step, state, last = model.begin(source, lengths, prompt, window=5)
        logits, _ = step(last, state)
        expected, _ = model.decode(prompt[:, -read:], model.encode(source, lengths))
    assert torch.equal(state.tokens, prompt[:, -read:-1])
    torch.testing.assert_close(logits, expected[:, -1])


def test_a_model_without_positions_reads_a_prompt_longer_than_the_window():
    torch.manual_seed(2)
    model = FixedVector(V, W, width=D, embedding=E).eval()
    source, lengths, prompt = torch.full((3, 2), 5), torch.tensor([2, 1, 2]), torch.randint(4, W, (3, 11))
    with torch.inference_mode():
        step, state, last = model.begin(source, lengths, prompt, window=5)
        logits, _ = step(last, state)
        expected, _ = model.decode(prompt, model.encode(source, lengths))
    torch.testing.assert_close(logits, expected[:, -1])


def test_with_a_window_a_model_says_more_than_it_has_positions_for():
    torch.manual_seed(3)
    model = GPT(V, W, width=12, heads=3, layers=1, max_positions=7, dropout=0.0).eval()
    source, lengths, search = (
        torch.zeros(2, 1, dtype=torch.long),
        torch.zeros(2, dtype=torch.long),
        Greedy(max_length=19, min_length=19),
    )
    with pytest.raises(InputError, match=r"a target of up to 19 need 19 positions, but model.max_positions is 7"):
        model.generate(source, lengths, search)
    tokens = model.generate(source, lengths, search, window=6).tokens[:, 0]
    assert tokens.shape == (2, 19)
    read = torch.full((2, 1), 1)
    for step in range(19):  # half of a full window stays
        read = read[:, -3:] if read.size(1) > 6 else read
        logits = model(source, lengths, read)[:, -1].detach()
        logits[:, :3] = -torch.inf  # neither padding nor a beginning, nor an end so early
        assert torch.equal(logits.argmax(-1), tokens[:, step])
        read = torch.cat([read, tokens[:, step : step + 1]], dim=1)


def test_frozen_parameters_are_counted_but_not_as_trained():
    model = torch.nn.Linear(5, 3)
    model.bias.requires_grad_(False)
    assert (parameter_count(model), parameter_count(model, trained=True)) == (18, 15)
