"""While tests run, signatures with shapes are checked: arguments, results, and that a letter is one size in a call."""

from dataclasses import dataclass

import pytest
import torch
from beartype.roar import BeartypeCallHintViolation
from jaxtyping import Float, Int
from support import checked
from torch import Tensor

from seqlab.layers.attention import padding_mask

IDS = torch.zeros(2, 3, dtype=torch.int64)


@checked
def first_of(ids: Int[Tensor, "B T"], rows: Int[Tensor, " B"], *, count: float = 3) -> Int[Tensor, "B T"]:
    return ids[rows, : int(count)]


@checked
@dataclass
class Weighted:
    ids: "Int[Tensor, 'B T']"
    weights: "Float[Tensor, 'B T']"


def test_what_fits_is_let_through():
    assert first_of(IDS, IDS[:, 0], count=3).shape == (2, 3)  # an int will do for a float
    assert first_of(IDS[:1, :2], IDS[:1, 0]).shape == (1, 2)  # sizes are those of a call
    assert Weighted(IDS, IDS.float()).weights.shape == (2, 3)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: first_of(IDS.float(), IDS[:, 0]),
        lambda: first_of(IDS, IDS),
        lambda: first_of(IDS, IDS[:1, 0]),
        lambda: first_of(IDS, IDS[:, 0], count=2),
        lambda: first_of(IDS, IDS[:, 0], count="3"),
        lambda: Weighted(IDS, IDS),
        lambda: Weighted(IDS, IDS[:, :2].float()),
        lambda: padding_mask(IDS, 3),
    ],
    ids=[
        *("dtype", "number of dimensions", "size of another argument", "size of the result", "type of a setting"),
        *("dtype in a dataclass", "size in a dataclass", "a function of seqlab"),
    ],
)
def test_what_does_not_fit_is_refused(wrong):
    with pytest.raises(BeartypeCallHintViolation):
        wrong()
