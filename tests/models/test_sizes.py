"""An impossible size is refused by its name before anything is built."""

import pytest

from seqlab.models.bahdanau import Bahdanau
from seqlab.models.context_gru import ContextGRU
from seqlab.models.conv import Conv
from seqlab.models.fixed_vector import FixedVector
from seqlab.models.gpt import GPT
from seqlab.models.luong import Luong
from seqlab.models.transformer import Transformer

SIZES = {
    FixedVector: ["width", "embedding", "layers"],
    ContextGRU: ["width", "embedding"],
    Bahdanau: ["width", "embedding", "layers", "attention"],
    Luong: ["width", "embedding", "layers"],
    Conv: ["width", "embedding", "layers", "kernel"],
    Transformer: ["width", "heads", "layers", "feed_forward", "max_positions"],
    GPT: ["width", "heads", "layers", "feed_forward", "max_positions"],
}
MORE = {Transformer: {"positions": "learned"}}


@pytest.mark.parametrize(("architecture", "size"), [(model, size) for model, sizes in SIZES.items() for size in sizes])
def test_a_size_below_one_is_refused_by_its_name(architecture, size):
    with pytest.raises(ValueError, match=f"^{size} must be at least 1, but is 0"):
        architecture(11, 13, **{**MORE.get(architecture, {}), size: 0})
