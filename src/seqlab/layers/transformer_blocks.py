"""The parts of Transformers: multi-head attention, feed-forward layers, and the block made of them, in which another
mixer may replace self-attention.

B batch, T positions of the query, S of the memory, M = cached tokens + T, D width, H heads, K head width, F inner
width, R rows that decode from the sources. "*P" is B (or R) and T, or the N real positions after packing (`Packing`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from seqlab.checks import check_sizes
from seqlab.layers.attention import Attention
from seqlab.layers.cpu_half_precision import in_half_on_cpu
from seqlab.layers.gated_linear import GatedLinearAttention
from seqlab.layers.kv_cache import AnyKVCache, KVCache
from seqlab.layers.min_gru import MinGRU
from seqlab.layers.packing import EVERYWHERE, Packing
from seqlab.layers.positions import rotated
from seqlab.layers.recurrent_mixer import MixerState, RecurrentMixer
from seqlab.layers.state import Sources

KeysValues = tuple[Tensor, Tensor]
"""Keys and values of a memory, each (B, H, S, K)."""

Known = AnyKVCache | MixerState
"""What the mixer of a block knows of earlier tokens: that of attention their keys and values."""

RECURRENT_MIXERS: dict[str, Callable[[int, int, bool], RecurrentMixer]] = {
    "min_gru": MinGRU,
    "gated_linear": GatedLinearAttention,
}

NORMS = ("pre", "post", "both")

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": F.relu,
    "gelu": F.gelu,  # Hendrycks & Gimpel 2016, arXiv 1606.08415
    "swiglu": F.silu,
    "squared_relu": lambda inputs: F.relu(inputs).square(),
}


class ScaledDotProduct(Attention):
    """Scaled dot-product attention (Vaswani et al. 2017, arXiv 1706.03762, section 3.2.1), by torch's fused kernel.

    softmax(q kᵀ / √K) v. With `causal`, the queries are the last T positions of the memory, and attend to no later one.
    """

    def __init__(self, causal: bool) -> None:
        super().__init__()
        self.causal = causal

    def forward(
        self,
        query: Float[Tensor, "B H T K"],
        keys: Float[Tensor, "B H M K"],
        values: Float[Tensor, "B H M K"],
        mask: Bool[Tensor, "B M"] | None,
    ) -> Float[Tensor, "B H T K"]:
        """The context of each query; `mask` is True at real positions of the memory (None: all are real)."""
        if _slow_backward(query):
            return self.weights(query, keys, mask).to(values.dtype) @ values
        if mask is None and query.size(2) == keys.size(2):
            return F.scaled_dot_product_attention(query, keys, values, is_causal=self.causal)
        visible = self._visible(query, keys, mask)
        return F.scaled_dot_product_attention(query, keys, values, attn_mask=visible)

    def weights(
        self, query: Float[Tensor, "B H T K"], keys: Float[Tensor, "B H M K"], mask: Bool[Tensor, "B M"] | None
    ) -> Float[Tensor, "B H T M"]:
        """softmax(q kᵀ / √K), which the fused kernel never stores."""
        scores = query @ keys.transpose(-1, -2) * query.size(-1) ** -0.5
        visible = self._visible(query, keys, mask)
        if visible is not None:
            scores = scores.masked_fill(~visible, -torch.inf)
        return scores.softmax(dim=-1)

    def _visible(self, query: Tensor, keys: Tensor, mask: Tensor | None) -> Bool[Tensor, "*B _ _ M"] | None:
        """True where a query may attend, in a shape that broadcasts over rows and heads (None: everywhere)."""
        new, known = query.size(2), keys.size(2)
        visible = None if mask is None else mask[:, None, None]
        if self.causal and new > 1:
            earlier = torch.ones(new, known, dtype=torch.bool, device=query.device).tril(known - new)
            visible = earlier[None, None] if visible is None else visible & earlier
        return visible


def _slow_backward(query: Tensor) -> bool:
    """Whether the fused kernel is slower than plain matrix products because of its backward pass: in half precision on
    a CPU that takes four to eight times as long on sentences, and twice as long on 256 positions.
    """
    return torch.is_grad_enabled() and in_half_on_cpu(query)


class MultiHeadAttention(nn.Module):
    """Multi-head attention (Vaswani et al. 2017, section 3.2.2): H attentions in parallel.

    Args:
        width: D of queries and memory; every head has width D / H.
        heads: H.
        causal: attend only to the same and to earlier positions.
        rotary: rotate queries and keys by their positions (`rotated`).
        normalised: bring queries and keys to unit mean square before their product, with a learnt gain per channel
            (Henry et al. 2020, arXiv 2010.04245), so that scores cannot grow without bound.

    Raises:
        ValueError: `heads` does not divide `width`, or leaves an odd head width while rotary positions need an even
            one.
    """

    def __init__(
        self, width: int, heads: int, causal: bool = False, rotary: bool = False, normalised: bool = False
    ) -> None:
        super().__init__()
        check_sizes(width=width, heads=heads)
        if width % heads:
            raise ValueError(f"heads must divide width ({width}), but is {heads}")
        if rotary and (width // heads) % 2:
            raise ValueError(f"rotary positions need an even width per head, but {width} / {heads} is {width // heads}")
        self.head_width, self.rotary = width // heads, rotary
        self.inputs = nn.Linear(width, 3 * width)  # queries, keys and values in one product
        self.output = nn.Linear(width, width)
        self.core = ScaledDotProduct(causal)
        self.query_norm = nn.RMSNorm(self.head_width) if normalised else None
        self.key_norm = nn.RMSNorm(self.head_width) if normalised else None
        for weight in self.inputs.weight.chunk(3):
            nn.init.xavier_uniform_(weight)
        nn.init.xavier_uniform_(self.output.weight)
        nn.init.zeros_(self.inputs.bias)
        nn.init.zeros_(self.output.bias)

    def to_itself(
        self,
        inputs: Float[Tensor, "*P D"],
        positions: Int[Tensor, "*B T"],
        mask: Bool[Tensor, "B M"] | None = None,
        earlier: AnyKVCache | None = None,
        packing: Packing = EVERYWHERE,
    ) -> tuple[Float[Tensor, "*P D"], AnyKVCache]:
        """Self-attention of `inputs`, also to the tokens cached in `earlier`; and the cache with these tokens added."""
        query, keys, values = self._split(packing.unpack(self.inputs(inputs))).chunk(3, dim=1)
        query, keys = _normalised(query, self.query_norm), _normalised(keys, self.key_norm)
        if self.rotary:
            query, keys = rotated(query, positions), rotated(keys, positions)
        known = KVCache.of(keys, values) if earlier is None else earlier.then(keys, values)
        return self.output(packing.pack(_joined(known.attended(self.core, query, mask)))), known

    def memory(self, outputs: Float[Tensor, "*P D"], packing: Packing = EVERYWHERE) -> KeysValues:
        """Keys and values of an encoder's outputs, computed once per sequence."""
        width = outputs.size(-1)
        both = F.linear(outputs, self.inputs.weight[width:], self.inputs.bias[width:])
        keys, values = self._split(packing.unpack(both)).chunk(2, dim=1)
        return _normalised(keys, self.key_norm), values

    def to_memory(
        self, inputs: Float[Tensor, "*P D"], sources: Sources, packing: Packing = EVERYWHERE
    ) -> Float[Tensor, "*P D"]:
        """Attention of `inputs` to the sources, whose memory is the keys and values that `memory` returned."""
        width = inputs.size(-1)

        def attend(queries: Float[Tensor, "B T D"], *memory: Tensor) -> Float[Tensor, "B T D"]:
            heads = _normalised(self._split(queries), self.query_norm)
            return _joined(self.core(heads, *memory))

        queries = packing.unpack(F.linear(inputs, self.inputs.weight[:width], self.inputs.bias[:width]))
        return self.output(packing.pack(sources.attend(attend, queries)))

    def _split(self, inputs: Float[Tensor, "B T _"]) -> Float[Tensor, "B _ T K"]:
        return inputs.unflatten(-1, (-1, self.head_width)).transpose(1, 2)


def _joined(heads: Float[Tensor, "B H T K"]) -> Float[Tensor, "B T D"]:
    return heads.transpose(1, 2).flatten(2)


def _normalised(heads: Tensor, norm: nn.Module | None) -> Tensor:
    return heads if norm is None else norm(heads)


def self_mixer(
    mixer: str, width: int, heads: int, causal: bool, rotary: bool, normalised: bool
) -> MultiHeadAttention | RecurrentMixer:
    """The mixer of that name: what passes information between the positions of a sequence.

    `normalised` concerns attention alone.

    Raises:
        ValueError: an unknown name, sizes that do not fit, or `rotary` without attention.
    """
    if mixer == "attention":
        return MultiHeadAttention(width, heads, causal, rotary, normalised)
    if mixer not in RECURRENT_MIXERS:
        raise ValueError(f"mixer must be one of attention, {', '.join(RECURRENT_MIXERS)}, but is {mixer!r}")
    if rotary:
        raise ValueError(
            f"positions=rotary turns queries and keys of attention, which mixer={mixer} replaces: choose learned or"
            " sinusoidal"
        )
    return RECURRENT_MIXERS[mixer](width, heads, causal)


class FeedForward(nn.Module):
    """Two linear layers per position (Vaswani et al. 2017, section 3.3), with a choice of the activation between them.

    ReLU and GELU: W₂ f(W₁ x); squared ReLU (So et al. 2021, arXiv 2109.08668): W₂ max(0, W₁ x)²; SwiGLU (Shazeer 2020,
    arXiv 2002.05202): W₂ (SiLU(W₁ x) ⊙ W₃ x), with half as many weights again.

    Raises:
        ValueError: an unknown activation, or a size below 1.
    """

    def __init__(self, width: int, inner: int, activation: str) -> None:
        super().__init__()
        check_sizes(width=width, feed_forward=inner)
        if activation not in ACTIVATIONS:
            raise ValueError(f"activation must be one of {', '.join(ACTIVATIONS)}, but is {activation!r}")
        self.activation, self.gated = ACTIVATIONS[activation], activation == "swiglu"
        self.inner = nn.Linear(width, 2 * inner if self.gated else inner)
        self.outer = nn.Linear(inner, width)
        for linear in (self.inner, self.outer):
            nn.init.xavier_uniform_(linear.weight)
            nn.init.zeros_(linear.bias)

    def forward(self, inputs: Float[Tensor, "*P D"]) -> Float[Tensor, "*P D"]:
        """The outputs, one for each position."""
        inner = self.inner(inputs)
        if self.gated:
            gate, inner = inner.chunk(2, dim=-1)
            return self.outer(self.activation(gate) * inner)
        return self.outer(self.activation(inner))


class Residual(nn.Module):
    """A residual connection around a sublayer f, with layer normalisation.

    - "post" (Vaswani et al. 2017, section 3.1): norm(x + f(x));
    - "pre" (Xiong et al. 2020, arXiv 2002.04745): x + f(norm(x)), which trains without a long warm-up;
    - "both" (Ding et al. 2021, arXiv 2105.13290, section 2.3): x + norm(f(norm(x))).
    """

    def __init__(self, width: int, norm: str, dropout: float) -> None:
        super().__init__()
        if norm not in NORMS:
            raise ValueError(f"norm must be one of {', '.join(NORMS)}, but is {norm!r}")
        self.post = norm == "post"
        self.inner_norm = None if norm == "post" else nn.LayerNorm(width)
        self.outer_norm = None if norm == "pre" else nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)

    def before(self, inputs: Float[Tensor, "*P D"]) -> Float[Tensor, "*P D"]:
        """The input of f."""
        return inputs if self.inner_norm is None else self.inner_norm(inputs)

    def after(self, inputs: Float[Tensor, "*P D"], outputs: Float[Tensor, "*P D"]) -> Float[Tensor, "*P D"]:
        """The result, from f's `outputs` and the residual `inputs`."""
        if self.outer_norm is not None and not self.post:
            outputs = self.outer_norm(outputs)
        if self.training:  # in generation, even a call that does nothing takes a noticeable part of the time per token
            outputs = self.dropout(outputs)
        outputs = inputs + outputs
        return self.outer_norm(outputs) if self.outer_norm is not None and self.post else outputs


class Block(nn.Module):
    """Self-attention or another mixer, attention to a memory (in a decoder with an encoder), feed-forward: each with
    its residual.

    Args:
        width, heads, feed_forward, activation, norm, dropout: as in the parts.
        causal: no position sees a later one.
        memory: there is an encoder to attend to.
        rotary: rotate the queries and keys of self-attention.
        normalised: normalise queries and keys of both attentions.
        mixer: "attention", "min_gru" or "gated_linear".
    """

    def __init__(
        self,
        width: int,
        heads: int,
        feed_forward: int,
        activation: str,
        norm: str,
        dropout: float,
        causal: bool,
        memory: bool = False,
        rotary: bool = False,
        normalised: bool = False,
        mixer: str = "attention",
    ) -> None:
        super().__init__()
        # Weights of saved models have this name.
        self.self_attention = self_mixer(mixer, width, heads, causal, rotary, normalised)
        self.self_residual = Residual(width, norm, dropout)
        self.memory_attention = MultiHeadAttention(width, heads, normalised=normalised) if memory else None
        self.memory_residual = Residual(width, norm, dropout) if memory else None
        self.feed_forward = FeedForward(width, feed_forward, activation)
        self.feed_forward_residual = Residual(width, norm, dropout)

    def forward(
        self,
        inputs: Float[Tensor, "*P D"],
        positions: Int[Tensor, "*B T"],
        mask: Bool[Tensor, "B M"] | None = None,
        earlier: Known | None = None,
        sources: Sources | None = None,
        packing: Packing = EVERYWHERE,
    ) -> tuple[Float[Tensor, "*P D"], Known]:
        """The outputs, and what the mixer knows then: `earlier` with these tokens added."""
        mixed, known = self.self_attention.to_itself(
            self.self_residual.before(inputs), positions, mask, cast(Any, earlier), packing
        )
        outputs = self.self_residual.after(inputs, mixed)
        if self.memory_attention is not None and self.memory_residual is not None:
            assert sources is not None
            attended = self.memory_attention.to_memory(self.memory_residual.before(outputs), sources, packing)
            outputs = self.memory_residual.after(outputs, attended)
        forward = self.feed_forward(self.feed_forward_residual.before(outputs))
        return self.feed_forward_residual.after(outputs, forward), known

    def ends(self) -> list[nn.Linear]:
        """The layers that end a residual branch."""
        mixers = [self.self_attention, *([self.memory_attention] if self.memory_attention is not None else [])]
        return [*(mixer.output for mixer in mixers), self.feed_forward.outer]


class Stack(nn.Module):
    """A sequence of blocks. If the residual path is never normalised ("pre", "both"), a norm follows the last block.

    Args:
        layers: number of blocks.
        settings: arguments of every `Block`.
    """

    def __init__(self, layers: int, width: int, norm: str, **settings: Any) -> None:
        super().__init__()
        check_sizes(layers=layers)
        self.blocks = nn.ModuleList([Block(width, norm=norm, **settings) for _ in range(layers)])
        self.norm = nn.Identity() if norm == "post" else nn.LayerNorm(width)

    def forward(
        self,
        inputs: Float[Tensor, "B T D"],
        positions: Int[Tensor, "*B T"],
        mask: Bool[Tensor, "B M"] | None = None,
        earlier: tuple[Known, ...] | None = None,
        sources: Sources | None = None,
        packing: Packing = EVERYWHERE,
    ) -> tuple[Float[Tensor, "*P D"], tuple[Known, ...]]:
        """The outputs of the last block, packed by `packing`, and what each block knows, for the next call."""
        inputs, known = packing.pack(inputs), []
        for layer, block in enumerate(self.blocks):
            before = earlier[layer] if earlier is not None else None
            memory = sources.of_layer(layer) if sources is not None else None
            inputs, of_block = block(inputs, positions, mask, before, memory, packing)
            known.append(of_block)
        return self.norm(inputs), tuple(known)

    def memories(self, outputs: Float[Tensor, "*P D"], packing: Packing = EVERYWHERE) -> tuple[KeysValues, ...]:
        """An encoder's outputs as keys and values for each block of this decoder."""
        attentions = (cast(MultiHeadAttention, block.memory_attention) for block in self.blocks)
        return tuple(attention.memory(outputs, packing) for attention in attentions)
