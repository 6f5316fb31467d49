"""The structure of an architecture, recorded from the module while it reads a batch: parts, shapes, and which part
passes a tensor to which. It is plain data, ready for JSON, from which a table and a drawing are made.

B batch, S source length, T target tokens, V target vocabulary; D, E and F are the sizes in `WIDTHS`.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seqlab.data.batch import Batch
from seqlab.inspection.tracing import Record, Tracer, tensors_in
from seqlab.kinds import model_name
from seqlab.models.base import Seq2Seq, parameter_count
from seqlab.special_tokens import PAD

WIDTHS = {"width": "D", "embedding": "E", "feed_forward": "F"}
"""Settings whose sizes appear as letters in shapes."""
ROWS = 5
"""At most this many examples of the batch are read."""


def structure_of(model: Seq2Seq, batch: Batch, settings: Mapping[str, Any]) -> dict[str, Any]:
    """A model's parts in both phases, the state between them, and the edges between all of them.

    Consecutive modules with equal parts are listed once, with their number as `repeat`.

    Args:
        batch: at least two examples, of which the first few are read.
        settings: the model's settings: they give its name, and the widths among them appear as letters in shapes.
    """
    batch = _distinct(batch)
    with torch.no_grad():
        model.eval()
        encoded, decoded, state = _record(model, batch)
        *others, other_state = _record(model, _smaller(batch))
    axes = _Axes(batch, model, settings)
    modules = dict(model.named_modules())
    trees = {}
    for phase, recorded, other in zip(("encode", "decode"), (encoded, decoded), others, strict=True):
        names = {name: axes.named(shape, other.shapes[name]) for name, shape in recorded.shapes.items()}
        trees[phase] = _Tree(modules, recorded, names).to_json()
    kind = type(model)
    class_name = f"{kind.__module__}.{kind.__qualname__}"
    return {
        "name": model_name({**settings, "_target_": class_name}),
        "class": class_name,
        "about": (inspect.getdoc(kind) or "").partition("\n")[0],
        "parameters": parameter_count(model),
        "axes": axes.letters,
        "inputs": {"encode": ["source", "B S"], "decode": ["tokens", "B T"]},
        "output": ["logits", "B T V"],
        "state": [
            {
                "name": name,
                "shapes": sorted(
                    {axes.named(a.shape, b.shape) for a, b in zip(tensors, other_state[name], strict=True)}
                ),
                **({} if any(one.any() for one in tensors) else {"begins": "zeros"}),
            }
            for name, tensors in state.items()
        ],
        **trees,
    }


def _record(model: Seq2Seq, batch: Batch) -> tuple[Record, Record, dict[str, list[Tensor]]]:
    """The records of encoding and of decoding, and the tensors of the state's fields."""
    tracer = Tracer(model)
    with tracer.watching():
        encoded = tracer.phase()
        tracer.name([batch.source], "source")
        state = model.encode(batch.source, batch.source_lengths)
        fields = {field.name: list(_tensors(getattr(state, field.name))) for field in dataclasses.fields(state)}
        fields = {name: tensors for name, tensors in fields.items() if tensors}
        for name, tensors in fields.items():
            tracer.result(tensors, f"state.{name}")
        decoded = tracer.phase()
        for name, tensors in fields.items():
            tracer.name(tensors, f"state.{name}")
        tokens = batch.decoder_input
        tracer.name([tokens], "tokens")
        logits, _ = model.decode(tokens, state)
        tracer.result([logits], "logits")
    return encoded, decoded, fields


def _tensors(value: Any) -> Iterator[Tensor]:
    """The tensors of a state's field, inside tuples and further states."""
    if dataclasses.is_dataclass(value):
        value = [getattr(value, field.name) for field in dataclasses.fields(value)]
    if isinstance(value, list | tuple):
        for one in value:
            yield from _tensors(one)
    else:
        yield from tensors_in(value)


def _distinct(batch: Batch) -> Batch:
    """A few rows for which B, S, T and S+T are all different, so that shapes can be read."""
    batch = Batch(*(field[:ROWS] for field in batch))
    while batch.source.size(1) == batch.decoder_input.size(1):
        batch = batch._replace(target=F.pad(batch.target, (0, 1), value=PAD))
    source, target = batch.source.size(1), batch.decoder_input.size(1)
    rows = next(n for n in (5, 3, 2, 4) if n not in (source, target, source + target))
    return Batch(*(torch.cat([field] * rows)[:rows] for field in batch))


def _smaller(batch: Batch) -> Batch:
    """The batch with one row less and one position less on either side: sizes that change with it are not widths."""
    fewer = Batch(*(field[:-1] for field in batch))
    if fewer.source.size(1) > 1:
        source = fewer.source[:, :-1]
        fewer = fewer._replace(source=source, source_lengths=fewer.source_lengths.clamp(max=source.size(1)))
    return fewer._replace(target=fewer.target[:, :-1])


class _Axes:
    """Names the sizes in shapes."""

    def __init__(self, batch: Batch, model: Seq2Seq, settings: Mapping[str, Any]) -> None:
        (rows, source), target = batch.source.shape, batch.decoder_input.size(1)
        self._lengths = {rows: "B", source: "S", target: "T", source + target: "S+T"}
        sizes = {letter: settings.get(name) for name, letter in WIDTHS.items()}
        self._widths = {size: letter for letter, size in reversed(sizes.items()) if isinstance(size, int)}
        self._widths |= {n * size: f"{n}D" for n in (2, 3, 4) if (size := sizes["D"])} | self._widths
        self._vocabulary = model.target_size
        self.letters = {"B": rows, "S": source, "T": target, "V": model.target_size}
        self.letters |= {letter: size for letter, size in sizes.items() if isinstance(size, int)}

    def named(self, shape: tuple[int, ...], smaller: tuple[int, ...]) -> str:
        """The shape of a tensor as letters; `smaller` is its shape for the smaller batch."""
        names = [self._name(*sizes) for sizes in zip(shape, smaller, strict=True)]
        if shape and shape[-1] == smaller[-1] == self._vocabulary:
            names[-1] = "V"
        return " ".join(names)

    def _name(self, size: int, smaller: int) -> str:
        if size != smaller:
            return self._lengths.get(size, str(size))
        return self._widths.get(size, str(size))


class _Tree:
    """The parts of a phase, nested as modules are."""

    def __init__(self, modules: dict[str, nn.Module], recorded: Record, shapes: dict[str, str]) -> None:
        self._modules, self._recorded, self._shapes = modules, recorded, shapes
        self._representative: dict[str, str] = {}  # of modules that are not listed, because an equal one is

    def to_json(self) -> dict[str, Any]:
        """Parts, joints and edges."""
        nodes = list(self._recorded.nodes)
        parts = self._children("", nodes)
        edges = dict.fromkeys(
            (self._listed(a), self._listed(b)) for a, b in self._recorded.edges if not self._is_within_repeat(a, b)
        )
        return {"parts": parts, "edges": [[a, b] for a, b in edges if a != b]}

    def _is_within_repeat(self, before: str, after: str) -> bool:
        """Whether an edge goes from one of several equal modules to another, which are listed as one."""
        start = ""
        for one, other in zip(before.split("."), after.split("."), strict=False):
            if one != other:
                return self._listed(start + one) == self._listed(start + other)
            start += f"{one}."
        return False

    def _children(self, around: str, nodes: list[str]) -> list[dict[str, Any]]:
        start = f"{around}." if around else ""
        by_child: dict[str, list[str]] = {}
        for node in nodes:
            by_child.setdefault(start + node.removeprefix(start).partition(".")[0], []).append(node)
        children: list[dict[str, Any]] = []
        last = ""
        for name, inner in by_child.items():
            child = self._node(name, [node for node in inner if node != name])
            if children and name.rpartition(".")[2].isdigit() and _same(children[-1], child):
                children[-1]["repeat"] += 1
                self._representative[name] = last
            else:
                children.append(child)
                last = name
        return children

    def _node(self, name: str, inner: list[str]) -> dict[str, Any]:
        if (joint := self._recorded.joints.get(name)) is not None:
            return {"path": name, "joint": joint.sign}
        module, parts = self._modules[name], self._children(name, inner)
        if len(parts) == 1 and "joint" not in parts[0] and name not in self._recorded.nodes:
            (only,) = parts  # the module around it has nothing else
            return only | ({"shape": self._shapes[name]} if self._recorded.calls.get(name) else {})
        return {
            "path": name,
            "class": type(module).__name__,
            "shape": self._shapes.get(name),
            "calls": self._recorded.calls.get(name, 0),
            "parameters": parameter_count(module),
            "repeat": 1,
            "parts": parts,
        }

    def _listed(self, name: str) -> str:
        """The name under which a node is listed: its own, or that of an equal module."""
        for path, other in self._representative.items():
            if name == path or name.startswith(f"{path}."):
                return self._listed(other + name[len(path) :])
        return name


def _same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two modules have equal parts."""
    if "joint" in one or "joint" in other:
        return one.get("joint") == other.get("joint")
    if any(one[key] != other[key] for key in ("class", "shape", "parameters")):
        return False
    pairs = zip(one["parts"], other["parts"], strict=False)
    return len(one["parts"]) == len(other["parts"]) and all(_same(*pair) for pair in pairs)
