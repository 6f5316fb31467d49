"""Position encodings against their formulas, and the properties of rotation."""

import math

import pytest
import torch

from seqlab.layers.positions import SinusoidalPositions, added_positions, rotated

B, H, T, K = 2, 3, 5, 6


def test_sinusoidal_positions_are_the_papers_formula():
    torch.set_default_dtype(torch.float64)
    try:
        vectors = SinusoidalPositions(7)(torch.tensor([0, 1, 41]))
    finally:
        torch.set_default_dtype(torch.float32)
    for row, position in enumerate((0, 1, 41)):
        for i in range(4):
            angle = position / 10000 ** (2 * i / 7)
            assert vectors[row, 2 * i].item() == pytest.approx(math.sin(angle), abs=1e-12)
            if 2 * i + 1 < 7:
                assert vectors[row, 2 * i + 1].item() == pytest.approx(math.cos(angle), abs=1e-12)


def test_rotation_is_a_product_of_complex_numbers():
    torch.manual_seed(0)
    heads, positions = torch.randn(B, H, T, K), torch.tensor([[0, 1, 2, 3, 4], [3, 4, 5, 6, 7]])
    got = rotated(heads, positions)
    for b in range(B):
        for t in range(T):
            for i in range(K // 2):
                angle = positions[b, t].item() / 10000 ** (2 * i / K)
                for h in range(H):
                    pair = complex(heads[b, h, t, i], heads[b, h, t, i + K // 2])
                    turned = pair * complex(math.cos(angle), math.sin(angle))
                    own = complex(got[b, h, t, i], got[b, h, t, i + K // 2])
                    assert abs(own - turned) < 1e-5


def test_products_of_rotated_vectors_depend_only_on_their_distance():
    torch.manual_seed(1)
    query, key = torch.randn(1, 1, 1, K), torch.randn(1, 1, 1, K)

    def product(p, q):
        return (rotated(query, torch.tensor([p])) * rotated(key, torch.tensor([q]))).sum().item()

    assert product(3, 1) == pytest.approx(product(45, 43), abs=1e-4)
    assert product(3, 1) != pytest.approx(product(3, 2), abs=1e-3)


def test_rotation_in_half_precision_still_depends_on_distance():
    """Angles far into a text need more digits than bf16 has."""
    torch.manual_seed(1)
    query, key = torch.randn(1, 1, 1, 64).bfloat16(), torch.randn(1, 1, 1, 64).bfloat16()

    def product(p, q):
        return (rotated(query, torch.tensor([p])).float() * rotated(key, torch.tensor([q])).float()).sum().item()

    scale = query.float().norm() * key.float().norm()
    assert abs(product(1003, 1000) - product(3, 0)) < 0.01 * scale


def test_an_unknown_scheme_is_refused():
    with pytest.raises(ValueError, match="positions must be one of learned, sinusoidal, rotary, but is 'alibi'"):
        added_positions("alibi", 5, 3)


@pytest.mark.parametrize("precision", [torch.bfloat16, torch.float16])
def test_angles_have_single_precision_if_the_default_is_half(precision):
    expected = SinusoidalPositions(12)(torch.tensor([3, 1003]))
    torch.set_default_dtype(precision)
    try:
        vectors = SinusoidalPositions(12)(torch.tensor([3, 1003]))
    finally:
        torch.set_default_dtype(torch.float32)
    torch.testing.assert_close(vectors, expected, rtol=0, atol=0)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_rotation_keeps_the_precision_of_its_input(dtype):
    assert rotated(torch.ones(B, H, T, K, dtype=dtype), torch.arange(T)).dtype == dtype
