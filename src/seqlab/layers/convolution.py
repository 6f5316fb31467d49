"""Gated convolutions over sequences, and the blocks that the convolutional encoder and decoder are stacked from.

B batch, S source length, T target length, P positions including those before or around them that a window needs,
K kernel size, D width, E embedding width.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from seqlab.layers.attention import DotAttention
from seqlab.layers.state import Sources

HALF = math.sqrt(0.5)  # times this, the sum of two terms of equal variance has that variance again


def scaled_linear(inputs: int, outputs: int, dropout: float = 0.0) -> nn.Linear:
    """A linear layer that keeps the variance of its inputs after dropout: W ~ N(0, p / n), b = 0, where n is the
    number of inputs and p = 1 − `dropout` (Gehring et al. 2017, section 3.5).
    """
    layer = nn.Linear(inputs, outputs)
    nn.init.normal_(layer.weight, std=math.sqrt((1 - dropout) / inputs))
    nn.init.zeros_(layer.bias)
    return layer


class GatedConvolution(nn.Module):
    """A convolution with gated linear units, unpadded (Dauphin et al. 2017; Gehring et al. 2017, section 3.2).

    [a_i; b_i] = W [x_{i−K+1}; …; x_i] + b;  y_i = a_i ⊗ σ(b_i)

    Dropout is applied to the inputs. A gate reduces the variance to a quarter, so W ~ N(0, 4 p / (K D)), where p is the
    share of inputs that dropout keeps (section 3.5).
    """

    def __init__(self, width: int, kernel: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.convolution = nn.Conv1d(width, 2 * width, kernel)
        nn.init.normal_(self.convolution.weight, std=math.sqrt(4 * (1 - dropout) / (kernel * width)))
        self.convolution.bias = nn.Parameter(torch.zeros(2 * width))

    def forward(self, inputs: Float[Tensor, "B P D"]) -> Float[Tensor, "B T D"]:
        """One output for each window of K inputs: T = P − K + 1."""
        channels = self.dropout(inputs).transpose(1, 2)
        weight, bias = self.convolution.weight, self.convolution.bias
        if inputs.size(1) == weight.size(2):  # a single window, as in generation: a matrix product takes half the time
            gates = F.linear(channels.flatten(1), weight.flatten(1), bias)[..., None]
        else:
            gates = self.convolution(channels)
        return F.glu(gates, dim=1).transpose(1, 2)


class EncoderBlock(nn.Module):
    """A block of the convolutional encoder (Gehring et al. 2017, sections 3.2 and 3.4).

    y = √½ (x + v(x)), where v is the gated convolution of a window around each position

    Outside a row the window sees zeros, so that padding makes no difference.
    """

    def __init__(self, width: int, kernel: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.reach = kernel // 2
        self.convolution = GatedConvolution(width, kernel, dropout)

    def forward(self, inputs: Float[Tensor, "B S D"], mask: Bool[Tensor, "B S"]) -> Float[Tensor, "B S D"]:
        """The block's outputs."""
        windows = F.pad(inputs * mask[..., None], (0, 0, self.reach, self.reach))
        return HALF * (inputs + self.convolution(windows))


class MultiStepAttention(DotAttention):
    """Dot-product attention of one decoder layer (Gehring et al. 2017, section 3.3, equations 1 and 2).

    α_ij = softmax_j(d_i · z_j) over the m positions inside the row;  c_i = √m Σ_j α_ij v_j

    The factor √m = m √(1/m) (section 3.4) gives the mean of m values the variance of a single one.
    """

    def forward(
        self,
        query: Float[Tensor, "B T E"],
        keys: Float[Tensor, "B S E"],
        values: Float[Tensor, "B S E"],
        mask: Bool[Tensor, "B S"],
    ) -> Float[Tensor, "B T E"]:
        """The context vectors c."""
        scale = mask.sum(dim=-1).to(values.dtype).sqrt()
        return super().forward(query, keys, values, mask) * scale[:, None, None]


class DecoderBlock(nn.Module):
    """A block of the convolutional decoder, with attention (Gehring et al. 2017, sections 3.2 to 3.4).

    h = v(x), where v is the gated convolution of a window that ends with each position
    d = √½ (W_d h + b_d + g), where g are the embedded target tokens;  c = attend(d; z, v)
    y = √½ (x + √½ (h + W_c c + b_c))

    The paper does not say what the residual connection spans; here it spans the attention, as in the authors' code.
    """

    def __init__(self, width: int, embedding: int, kernel: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.convolution = GatedConvolution(width, kernel, dropout)
        self.query = scaled_linear(width, embedding)
        self.attention = MultiStepAttention()
        self.context = scaled_linear(embedding, width)

    def forward(
        self,
        inputs: Float[Tensor, "B T D"],
        past: Float[Tensor, "B K1 D"],
        embedded: Float[Tensor, "B T E"],
        sources: Sources,
    ) -> tuple[Float[Tensor, "B T D"], Float[Tensor, "B K1 D"]]:
        """The block's outputs, given the K − 1 inputs `past` before these, and the last K − 1 inputs for the next call.

        The memory of `sources` is keys and values, (B, S, E) each.
        """
        windows = torch.cat([past, inputs], dim=1)
        hidden = self.convolution(windows)
        query = HALF * (self.query(hidden) + embedded)
        context = sources.attend(self.attention, query)
        outputs = HALF * (inputs + HALF * (hidden + self.context(context)))
        return outputs, windows[:, inputs.size(1) :]
