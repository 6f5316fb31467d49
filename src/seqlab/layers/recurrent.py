"""Recurrent layers: whole sequences at once, and one step at a time.

B batch, T steps, I input width, E width of the inputs known for all steps beforehand, R width of the other inputs,
D state width, O output width, L layers, GD width of all gates (LSTM 4 D, GRU 3 D).
"""

from __future__ import annotations

import contextlib
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from seqlab.layers.cpu_half_precision import in_half_on_cpu
from seqlab.layers.packing import EVERYWHERE, Packing
from seqlab.private_parts import cpu_has_bf16

Hidden = tuple[Tensor, ...]
"""(h, c) of an LSTM or (h,) of a GRU, batch-first."""

NARROW, HARDLY_ANY = 256, 1 / 8  # in half precision, packing does not pay below this width or share of padding
PASSING = 1e4  # the input that closes or opens a gate completely, in half precision, too


def check_cell(cell: str) -> None:
    """Raises ValueError unless `cell` names a recurrent cell."""
    if cell not in ("lstm", "gru"):
        raise ValueError(f"cell must be lstm or gru, but is {cell!r}")


def initialise(input_weight: Tensor, recurrent_weight: Tensor, biases: Sequence[Tensor]) -> None:
    """Draws a recurrent layer's weights so that gradients neither vanish nor explode: input weights by Glorot & Bengio
    (2010), recurrent ones orthogonal (Saxe et al. 2014, arXiv 1312.6120), biases zero, except that an LSTM's forget
    gate starts open (Jozefowicz et al. 2015).
    """
    nn.init.xavier_uniform_(input_weight)
    nn.init.orthogonal_(recurrent_weight)
    gates, width = recurrent_weight.shape
    for bias in biases:
        nn.init.zeros_(bias)
    if gates == LSTMCell.gate_count * width:
        with torch.no_grad():
            biases[0][width : 2 * width] = 1.0


class Cell(nn.Module):
    """One step of a recurrent layer. A subclass sets the number of gates and computes the next state from them."""

    gate_count: int

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.inputs = nn.Linear(inputs, self.gate_count * width)
        self.recurrent = nn.Linear(width, self.gate_count * width)
        initialise(self.inputs.weight, self.recurrent.weight, [self.inputs.bias, self.recurrent.bias])

    def known_gates(self, known: Float[Tensor, "B T E"]) -> tuple[Float[Tensor, "B T GD"], Float[Tensor, "GD R"]]:
        """W x + b for the first features of x, which are known for all steps; and the part of W for the others."""
        width = known.size(-1)
        known_weight, rest_weight = self.inputs.weight.split([width, self.inputs.in_features - width], dim=1)
        return F.linear(known, known_weight, self.inputs.bias), rest_weight

    @abstractmethod
    def forward(self, gates: Float[Tensor, "B GD"], hidden: Hidden) -> Hidden:
        """The next (h, c) or (h,), from the part W x + b of the gates that comes from the input."""


class LSTMCell(Cell):
    """One step of a long short-term memory (Hochreiter & Schmidhuber 1997, with forget gates), as in `nn.LSTMCell`.

    i, f, g, o = W x + b + U h;  c' = σ(f) c + σ(i) tanh(g);  h' = σ(o) tanh(c')

    `gates` is W x + b; the caller computes it for all steps at once as far as x is known beforehand.
    """

    gate_count = 4

    def forward(self, gates: Float[Tensor, "B GD"], hidden: Hidden) -> Hidden:
        """The next (h, c)."""
        h, c = hidden
        i, f, g, o = (gates + self.recurrent(h)).chunk(4, dim=-1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(c), c


class GRUCell(Cell):
    """One step of a gated recurrent unit (Cho et al. 2014, arXiv 1406.1078), as in `nn.GRUCell`.

    r, z, n = W x + b;  r', z', n' = U h + d;  h' = (1 − σ(z + z')) tanh(n + σ(r + r') n') + σ(z + z') h

    `gates` is W x + b; the caller computes it for all steps at once as far as x is known beforehand.
    """

    gate_count = 3

    def forward(self, gates: Float[Tensor, "B GD"], hidden: Hidden) -> Hidden:
        """The next (h,)."""
        (h,) = hidden
        r, z, n = gates.chunk(3, dim=-1)
        hidden_r, hidden_z, hidden_n = self.recurrent(h).chunk(3, dim=-1)
        update = torch.sigmoid(z + hidden_z)
        new = torch.tanh(n + torch.sigmoid(r + hidden_r) * hidden_n)
        return (new + update * (h - new),)


def make_cell(cell: str, inputs: int, width: int) -> Cell:
    """One step of the recurrent layer that `cell` names.

    Raises:
        ValueError: `cell` is unknown.
    """
    check_cell(cell)
    return LSTMCell(inputs, width) if cell == "lstm" else GRUCell(inputs, width)


class Recurrent(nn.Module):
    """`nn.LSTM` or `nn.GRU` over padded batches, with states batch-first: each (B, L, D).

    If bidirectional (Schuster & Paliwal 1997), outputs are the forward and backward states concatenated, O = 2 D, and
    the states of the two directions alternate: (B, 2 L, D). The backward direction of a row starts at the row's last
    token, not in its padding. `ends` are the indices of the states that represent the layers, lowest first: if
    bidirectional, the backward ones, which end at the first token.
    """

    def __init__(
        self,
        cell: str,
        inputs: int,
        width: int,
        layers: int = 1,
        dropout: float = 0.0,
        bidirectional: bool = False,
    ) -> None:
        super().__init__()
        check_cell(cell)
        kind = nn.LSTM if cell == "lstm" else nn.GRU
        between = dropout if layers > 1 else 0.0
        self.rnn = kind(inputs, width, layers, batch_first=True, dropout=between, bidirectional=bidirectional)
        self.width = 2 * width if bidirectional else width
        directions = 2 if bidirectional else 1
        self.ends = range(directions - 1, directions * layers, directions)
        for input_weight, recurrent_weight, *biases in self.rnn.all_weights:
            initialise(input_weight, recurrent_weight, biases)

    def forward(
        self,
        inputs: Float[Tensor, "B T I"],
        hidden: Hidden | None = None,
        lengths: Int[Tensor, " B"] | None = None,
        packing: Packing = EVERYWHERE,
    ) -> tuple[Float[Tensor, "B T O"], Hidden]:
        """Outputs at every step, and the states after the last step (with `lengths`, the last of each row).

        The outputs at positions that `packing` skips (on the right) are not used by anyone. A GRU does not compute
        them; for an LSTM computing them is cheaper than skipping them.
        """
        if isinstance(self.rnn, nn.GRU) and lengths is None:
            lengths = packing.lengths()
        start = None if hidden is None else tuple(h.transpose(0, 1).contiguous() for h in hidden)
        steps = inputs.size(1)
        lengths = None if lengths is None else lengths.cpu().clamp(min=1)  # an empty row is read as one PAD
        if lengths is None or not bool((lengths < steps).any()):
            outputs, end = self._run(inputs, start)
        elif self._is_faster_unpacked(inputs, start, lengths):
            outputs, end = self._through_padding(inputs, start, lengths)
        else:
            packed = pack_padded_sequence(inputs, lengths, batch_first=True, enforce_sorted=False)
            packed_outputs, end = self._run(packed, start)
            outputs, _ = pad_packed_sequence(packed_outputs, batch_first=True, total_length=steps)
        return outputs, tuple(h.transpose(0, 1) for h in end)

    def _run(self, inputs: Tensor | PackedSequence, start: Hidden | None) -> tuple[Any, Hidden]:
        """Runs the layer on a padded or packed batch; states are tuples here, while `nn.GRU` has a bare tensor."""
        with _kernels(inputs):
            if isinstance(self.rnn, nn.LSTM):
                return self.rnn(inputs, start)
            outputs, end = self.rnn(inputs, None if start is None else start[0])
            return outputs, (end,)

    def _is_faster_unpacked(self, inputs: Tensor, start: Hidden | None, lengths: Int[Tensor, " B"]) -> bool:
        if inputs.device.type != "cpu" or not isinstance(self.rnn, nn.LSTM):
            return False
        if start is not None and self.rnn.bidirectional:
            return False  # the backward direction would begin in padding, which keeps c but not the initial h
        if not torch.is_autocast_enabled("cpu"):
            return True
        padding = 1 - lengths.sum().item() / inputs[..., 0].numel()
        return padding < HARDLY_ANY or self.rnn.hidden_size <= NARROW

    def _through_padding(
        self, inputs: Float[Tensor, "B T I"], start: Hidden | None, lengths: Int[Tensor, " B"]
    ) -> tuple[Float[Tensor, "B T O"], Hidden]:
        """The same result as a packed LSTM, without packing. On a CPU it takes half to two thirds of the time in single
        precision; in half precision it is faster if the LSTM is narrow or there is little padding.

        An additional input, which is 1 in padding, closes the input gate and opens the forget gate there, so that c
        passes through padding unchanged: forward to the end of the batch, backward to the last token of the row.
        """
        rnn, width, directions = cast(nn.LSTM, self.rnn), self.rnn.hidden_size, 2 if self.rnn.bidirectional else 1
        padding = (torch.arange(inputs.size(1)) >= lengths[:, None])[..., None]
        gates = inputs.new_zeros(LSTMCell.gate_count, width, 1)
        gates[0], gates[1] = -PASSING, PASSING
        last = (lengths - 1)[:, None, None].expand(-1, 1, width)
        start = start or (inputs.new_zeros(rnn.num_layers * directions, inputs.size(0), width),) * 2
        outputs, states, cells = inputs, [], []
        for layer in range(rnn.num_layers):
            of_layer = slice(layer * directions, (layer + 1) * directions)
            weights = [[torch.cat([w, gates.flatten(0, 1)], dim=1), *rest] for w, *rest in rnn.all_weights[of_layer]]
            layer_inputs = F.dropout(outputs, rnn.dropout, self.training) if layer else outputs
            with _kernels(layer_inputs):
                outputs, _, c = torch.lstm(
                    torch.cat([layer_inputs, padding.to(layer_inputs.dtype)], dim=-1),
                    [h[of_layer] for h in start],
                    [weight for direction in weights for weight in direction],
                    True,  # biases
                    1,  # layer
                    0.0,
                    self.training,
                    rnn.bidirectional,
                    True,  # batch first
                )
            states += [outputs[..., :width].gather(1, last)[:, 0], outputs[:, 0, width:]][:directions]
            cells.append(c)
        return outputs.masked_fill(padding, 0.0), (torch.stack(states), torch.cat(cells))


def _kernels(inputs: Tensor | PackedSequence) -> contextlib.AbstractContextManager[None]:
    """Disables oneDNN for half precision on a CPU without bf16, where it refuses an LSTM; torch's native kernels are
    slow there, but work.
    """
    values = inputs if isinstance(inputs, Tensor) else inputs.data
    if in_half_on_cpu(values) and not cpu_has_bf16():
        return _without_onednn()
    return contextlib.nullcontext()


@contextlib.contextmanager
def _without_onednn() -> Iterator[None]:
    """As `torch.backends.mkldnn.flags(enabled=False)`, but without its warning about unrelated settings."""
    before = torch.backends.mkldnn.enabled
    torch.backends.mkldnn.enabled = False  # type: ignore[assignment]  # it is a property
    try:
        yield
    finally:
        torch.backends.mkldnn.enabled = before


class RecurrentCells(nn.Module):
    """Layers of cells, one step at a time, for a decoder whose input depends on its previous output.

    Weights and dropout (between layers) are as in `Recurrent`.
    """

    def __init__(self, cell: str, inputs: int, width: int, layers: int = 1, dropout: float = 0.0) -> None:
        super().__init__()
        self.layers = nn.ModuleList(make_cell(cell, width if layer else inputs, width) for layer in range(layers))
        self.dropout = nn.Dropout(dropout)

    def known_gates(self, known: Float[Tensor, "B T E"]) -> tuple[Float[Tensor, "B T GD"], Float[Tensor, "GD R"]]:
        """As in `Cell`, for the lowest layer."""
        return cast(Cell, self.layers[0]).known_gates(known)

    def forward(self, gates: Float[Tensor, "B GD"], hidden: Sequence[Hidden]) -> list[Hidden]:
        """The next state of each layer, from the input gates of the lowest layer."""
        states: list[Hidden] = []
        for cell, state in zip(cast(Sequence[Cell], self.layers), hidden, strict=True):
            if states:
                gates = cell.inputs(self.dropout(states[-1][0]))
            states.append(cell(gates, state))
        return states


class Bridge(nn.Module):
    """From the encoder's final state to the decoder's first (Bahdanau et al. 2015, arXiv 1409.0473, appendix A.2.2).

    s_0 = tanh(W h + b), with separate weights for each layer and for an LSTM's c.
    """

    def __init__(self, cell: str, width: int, layers: int = 1) -> None:
        super().__init__()
        check_cell(cell)
        count = layers * (2 if cell == "lstm" else 1)
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(count))

    def forward(self, hidden: Sequence[Hidden]) -> list[Hidden]:
        """The decoder's first (h, c) or (h,) of each layer."""
        linear = iter(self.layers)
        return [tuple(torch.tanh(next(linear)(h)) for h in layer) for layer in hidden]


def reversed_rows(tokens: Int[Tensor, "B T"], lengths: Int[Tensor, " B"]) -> Int[Tensor, "B T"]:
    """Each row in reverse order, with its padding still on the right."""
    positions = torch.arange(tokens.size(1), device=tokens.device)
    backwards = lengths[:, None] - 1 - positions
    return tokens.gather(1, torch.where(backwards >= 0, backwards, positions))
