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
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from seqlab.layers.cpu_half_precision import in_half_on_cpu
from seqlab.layers.packing import EVERYWHERE, Packing, values_at_hand
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

        Only a CPU packs rows or looks at `lengths`. Any other device would have to wait for its host to do so, and
        reads through padding instead.
        """
        if isinstance(self.rnn, nn.GRU) and lengths is None:
            lengths = packing.lengths()
        start = None if hidden is None else tuple(h.transpose(0, 1).contiguous() for h in hidden)
        steps, on_cpu = inputs.size(1), values_at_hand(inputs)
        lengths = None if lengths is None else lengths.clamp(min=1)  # an empty row is read as one PAD
        if lengths is not None and on_cpu and not bool((lengths < steps).any()):
            lengths = None
        if lengths is None:
            outputs, end = self._run(inputs, start) if on_cpu else self._run_on_device(inputs, start)
        elif not on_cpu or self._is_faster_unpacked(start, lengths, steps):
            outputs, end = self._through_padding(inputs, start, lengths)
        else:
            packed = pack_padded_sequence(inputs, lengths, batch_first=True, enforce_sorted=False)
            packed_outputs, end = self._run(packed, start)
            outputs, _ = pad_packed_sequence(packed_outputs, batch_first=True, total_length=steps)
        return outputs, tuple(h.transpose(0, 1) for h in end)

    def _run(self, inputs: Tensor | PackedSequence, start: Hidden | None) -> tuple[Any, Hidden]:
        """Runs the layers on a padded or packed batch; states are tuples here, while `nn.GRU` has a bare tensor."""
        with _kernels(inputs):
            if isinstance(self.rnn, nn.LSTM):
                return self.rnn(inputs, start)
            outputs, end = self.rnn(inputs, None if start is None else start[0])
            return outputs, (end,)

    def _run_on_device(self, inputs: Float[Tensor, "B T I"], start: Hidden | None) -> tuple[Tensor, Hidden]:
        """As `_run`, but dropout between layers comes from torch's generator: cuDNN would keep a random state of its
        own, which checkpoints do not have.
        """
        if self.training and self.rnn.dropout:
            return self._through_padding(inputs, start, None)
        return self._run(inputs, start)

    def _is_faster_unpacked(self, start: Hidden | None, lengths: Int[Tensor, " B"], steps: int) -> bool:
        """Whether reading through padding is faster than packing on a CPU."""
        if not isinstance(self.rnn, nn.LSTM):
            return False
        if start is not None and self.rnn.bidirectional:
            return False  # it would take two calls
        if not torch.is_autocast_enabled("cpu"):
            return True
        padding = 1 - lengths.sum().item() / (len(lengths) * steps)
        return padding < HARDLY_ANY or self.rnn.hidden_size <= NARROW

    def _through_padding(
        self, inputs: Float[Tensor, "B T I"], start: Hidden | None, lengths: Int[Tensor, " B"] | None
    ) -> tuple[Float[Tensor, "B T O"], Hidden]:
        """The same result as a packed layer, without packing. On a CPU an LSTM takes half to two thirds of the time in
        single precision; in half precision it is faster if the LSTM is narrow or there is little padding.

        Without `lengths` there is no padding.
        """
        rnn, directions = self.rnn, 2 if self.rnn.bidirectional else 1
        apart = start is not None and rnn.bidirectional
        if start is None:
            zeros = inputs.new_zeros(rnn.num_layers * directions, inputs.size(0), rnn.hidden_size)
            start = (zeros,) * (2 if isinstance(rnn, nn.LSTM) else 1)
        outputs, ends = inputs, []
        for layer in range(rnn.num_layers):
            of_layer = slice(layer * directions, (layer + 1) * directions)
            layer_inputs = F.dropout(outputs, rnn.dropout, self.training) if layer else outputs
            layer_start, weights = tuple(h[of_layer] for h in start), rnn.all_weights[of_layer]
            if apart and lengths is not None:
                outputs, end = self._directions_apart(layer_inputs, layer_start, weights, lengths)
            else:
                outputs, end = self._layer(layer_inputs, layer_start, weights, lengths)
            ends.append(end)
        if lengths is not None:
            outputs = outputs.masked_fill(_padding(outputs, lengths), 0.0)
        return outputs, tuple(torch.cat(h) for h in zip(*ends, strict=True))

    def _directions_apart(
        self,
        inputs: Float[Tensor, "B T I"],
        start: Hidden,
        weights: Sequence[Sequence[Tensor]],
        lengths: Int[Tensor, " B"],
    ) -> tuple[Float[Tensor, "B T O"], Hidden]:
        """A bidirectional layer whose backward direction has a first state. That direction reads reversed rows, whose
        padding is on the right again: an LSTM cannot carry its first h through padding, as it carries c.
        """
        forward, forward_end = self._layer(inputs, tuple(h[:1] for h in start), weights[:1], lengths)
        backward, backward_end = self._layer(
            reversed_rows(inputs, lengths), tuple(h[1:] for h in start), weights[1:], lengths
        )
        outputs = torch.cat([forward, reversed_rows(backward, lengths)], dim=-1)
        return outputs, tuple(torch.cat(h) for h in zip(forward_end, backward_end, strict=True))

    def _layer(
        self,
        inputs: Float[Tensor, "B T I"],
        start: Hidden,
        weights: Sequence[Sequence[Tensor]],
        lengths: Int[Tensor, " B"] | None,
    ) -> tuple[Float[Tensor, "B T O"], Hidden]:
        """One layer, in one direction or in both. Outputs in padding are meaningless.

        Where a state has to pass through padding unchanged, an additional input, which is 1 in padding, sets the gates
        that keep it: an LSTM's input gate is closed and its forget gate open, a GRU's update gate is 1. An LSTM's c
        passes forward to the end of the batch; a first state of zeros passes backward to the last token of the row.
        A GRU needs none of this in the forward direction, because its h at the last token is an output.
        """
        lstm, bidirectional, width = isinstance(self.rnn, nn.LSTM), len(weights) == 2, self.rnn.hidden_size
        read = inputs
        if lengths is not None and (lstm or bidirectional):
            gates = inputs.new_zeros(LSTMCell.gate_count if lstm else GRUCell.gate_count, width, 1)
            if lstm:
                gates[0], gates[1] = -PASSING, PASSING
            else:
                gates[1] = PASSING
            read = torch.cat([inputs, _padding(inputs, lengths).to(inputs.dtype)], dim=-1)
            weights = [[torch.cat([w, gates.flatten(0, 1)], dim=1), *rest] for w, *rest in weights]
        # Arguments: with biases, one layer, no dropout, …, batch first.
        settings = ([w for direction in weights for w in direction], True, 1, 0.0, self.training, bidirectional, True)
        with _kernels(read):
            outputs, h, *c = torch.lstm(read, start, *settings) if lstm else torch.gru(read, start[0], *settings)
        if lengths is not None:
            last = (lengths - 1)[:, None, None].expand(-1, 1, width)
            ends = [outputs[..., :width].gather(1, last)[:, 0], outputs[:, 0, width:]]
            h = torch.stack(ends[: len(weights)])
        return outputs, (h, *c)


def _padding(values: Float[Tensor, "B T D"], lengths: Int[Tensor, " B"]) -> Bool[Tensor, "B T 1"]:
    """True behind the end of each row."""
    return (torch.arange(values.size(1), device=values.device) >= lengths[:, None])[..., None]


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


def reversed_rows(values: Shaped[Tensor, "B T *D"], lengths: Int[Tensor, " B"]) -> Shaped[Tensor, "B T *D"]:
    """Each row in reverse order, with its padding still on the right."""
    positions = torch.arange(values.size(1), device=values.device)
    backwards = lengths[:, None] - 1 - positions
    order = torch.where(backwards >= 0, backwards, positions)
    return values.gather(1, order.reshape(*order.shape, *[1] * (values.dim() - 2)).expand_as(values))
