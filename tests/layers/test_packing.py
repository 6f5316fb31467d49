"""Skips padding, and puts it back."""

import pytest
import torch

from seqlab.layers.packing import EVERYWHERE, Packing

REAL = torch.tensor([[1, 1, 0, 0, 0], [1, 0, 0, 0, 0], [1, 1, 1, 1, 0]]).bool()


def test_packed_positions_are_consecutive_and_unpack_to_their_indices():
    packing, values = Packing.of(REAL), torch.arange(30.0).view(3, 5, 2)
    packed = packing.pack(values)
    assert packed.tolist() == [values[row, step].tolist() for row in range(3) for step in range(5) if REAL[row, step]]
    assert torch.equal(packing.unpack(packed), values * REAL[..., None])


def test_lengths_are_those_of_the_rows_even_of_empty_ones():
    real = torch.cat([REAL, torch.zeros(1, 5, dtype=torch.bool)])
    assert Packing.of(real).lengths().tolist() == [2, 1, 4, 0]
    assert EVERYWHERE.lengths() is None


def test_the_value_of_a_row_is_repeated_for_its_real_positions():
    rows = torch.tensor([[3.0], [5.0], [7.0]])
    assert Packing.of(REAL).of_rows(rows).flatten().tolist() == [3, 3, 5, 7, 7, 7, 7]
    assert EVERYWHERE.of_rows(rows).shape == (3, 1, 1)


@pytest.mark.parametrize("padding", [0, 1])
def test_with_little_padding_nothing_is_skipped(padding):
    real = torch.ones(3, 5, dtype=torch.bool)
    real[0, 5 - padding :] = False
    assert Packing.of(real) is EVERYWHERE
    values = torch.randn(3, 5, 2)
    assert EVERYWHERE.pack(values) is values
    assert EVERYWHERE.unpack(values) is values


def test_on_an_accelerator_real_positions_are_not_counted():
    assert Packing.of(REAL.to("meta")) is EVERYWHERE


def test_gradients_are_those_of_the_real_positions():
    packing = Packing.of(REAL)
    values = torch.randn(3, 5, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(packing.pack, values)
    assert torch.autograd.gradcheck(packing.unpack, packing.pack(values.detach()).requires_grad_())
    assert torch.autograd.gradcheck(packing.of_rows, torch.randn(3, 2, dtype=torch.float64, requires_grad=True))
