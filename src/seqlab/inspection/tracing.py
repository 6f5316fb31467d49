"""Traces which part of a model made which tensor, and from which inputs, while the model runs, whatever its code.

Every operation belongs to a part: to the module whose weights it uses, else to the running module if that has no
submodules. An operation of a module with submodules belongs to no part: if it has a single input, its result counts as
that input; if it combines several, it becomes a joint, such as the sum of a residual connection.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd
from torch.overrides import TorchFunctionMode

TRANSPARENT = (nn.Identity, _DropoutNd)
"""Modules that do nothing in evaluation mode."""
FRESH = ("zeros_like", "ones_like", "full_like", "empty_like", "new_zeros", "new_ones", "new_full", "new_empty")
"""Operations that use the shape of their input, but none of its values."""
SIGNS = {"add": "+", "__add__": "+", "__radd__": "+", "mul": "×", "__mul__": "×", "__rmul__": "×", "cat": "concat"}


@dataclass
class Joint:
    """Consecutive operations in which a module with submodules combines several tensors into one."""

    name: str
    module: str
    operations: set[str] = field(default_factory=set)
    is_consumed: bool = False  # by a part: later operations on its result are another joint

    @property
    def sign(self) -> str:
        """The sign of the operation, if all operations have the same."""
        signs = {SIGNS.get(operation, operation) for operation in self.operations}
        return signs.pop() if len(signs) == 1 else "·"


@dataclass
class Record:
    """The record of one phase: parts by the names of their modules, in the order in which they first ran.

    Attributes:
        nodes: parts and joints.
        shapes: shape of each module's last output.
        calls: number of calls of each module.
        edges: from the maker of a tensor to its user, each once, in order; inputs, states and results included.
        joints: the joints by name.
    """

    nodes: dict[str, None] = field(default_factory=dict)
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    calls: dict[str, int] = field(default_factory=dict)
    edges: dict[tuple[str, str], None] = field(default_factory=dict)
    joints: dict[str, Joint] = field(default_factory=dict)


class Tracer(TorchFunctionMode):
    """Records while it is active; `phase` begins a new record, `name` names an input, `result` an output."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.recorded = Record()
        self._modules = {name: module for name, module in model.named_modules() if name and _is_part(module)}
        self._composed = {name.rpartition(".")[0] for name in self._modules} | {""}
        self._weights: dict[int, list[str]] = {}
        for name, module in self._modules.items():
            for parameter in module.parameters(recurse=False):
                self._weights.setdefault(id(parameter), []).append(name)
        self._made_by: dict[int, str] = {}
        self._folded: dict[int, list[str]] = {}  # tensors computed only from weights, and the owners of the weights
        self._kept: list[Tensor] = []  # kept alive, because the id of a freed tensor may be reused
        self._running: list[str] = [""]

    @contextmanager
    def watching(self) -> Iterator[Tracer]:
        """Records what the model does while the context is active."""
        with ExitStack() as stack:
            for name, module in self._modules.items():
                handles = (
                    module.register_forward_pre_hook(self._begin(name)),
                    module.register_forward_hook(self._end(name), always_call=True),
                )
                for handle in handles:
                    stack.callback(handle.remove)
            stack.enter_context(self)
            yield self

    def phase(self) -> Record:
        """Begins a new record."""
        self.recorded = Record()
        return self.recorded

    def name(self, tensors: Iterable[Tensor], name: str) -> None:
        """Makes `name` the maker of these tensors from now on."""
        for tensor in filter(_is_no_mask, tensors):
            self._keep(tensor, name)

    def result(self, tensors: Iterable[Tensor], name: str) -> None:
        """Adds edges from the makers of these tensors to the result `name`."""
        for tensor in tensors:
            if (maker := self._made_by.get(id(tensor))) is not None:
                self._edge(maker, name)

    def _begin(self, name: str) -> Callable[..., None]:
        def begin(module: nn.Module, arguments: Any) -> None:
            self._running.append(name)

        return begin

    def _end(self, name: str) -> Callable[..., None]:
        def end(module: nn.Module, arguments: Any, results: Any) -> None:
            self._running.pop()
            self.recorded.calls[name] = self.recorded.calls.get(name, 0) + 1
            if results is not None and (tensors := list(tensors_in(results))):
                self.recorded.shapes[name] = tuple(tensors[0].shape)

        return end

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        results = func(*args, **(kwargs or {}))
        inputs, name = list(tensors_in((args, kwargs or {}))), getattr(func, "__name__", "")
        kinds = {tensor.dtype.is_floating_point for tensor in inputs if id(tensor) in self._made_by}
        made = [t for t in tensors_in(results) if t.dtype.is_floating_point or (kinds == {False} and _is_no_mask(t))]
        if made and name not in FRESH:
            self._attribute(name, inputs, made)
        return results

    def _attribute(self, operation: str, inputs: list[Tensor], made: list[Tensor]) -> None:
        """Assigns an operation and the tensors it made to a part or a joint."""
        running = self._running[-1]
        makers = list(dict.fromkeys(self._made_by[id(one)] for one in inputs if id(one) in self._made_by))
        owners = list(dict.fromkeys(owner for one in inputs for owner in self._owners(one, running)))
        if owners and not makers and running not in owners:
            for tensor in made:
                self._kept.append(tensor)
                self._folded[id(tensor)] = owners
            return
        if owners:
            for owner in reversed(owners):  # in a product of weights, the last one is applied first
                self._take(makers, owner, made[0])
                makers = [owner]
        elif running not in self._composed:
            self._take(makers, running, made[0])
            makers = [running]
        elif len(makers) > 1:
            makers = [self._joint(running, operation, makers)]
        for tensor in made:
            if makers:
                self._keep(tensor, makers[0])

    def _owners(self, tensor: Tensor, running: str) -> list[str]:
        """The modules whose weights a tensor is made of, if it is; for tied weights, the running module."""
        if id(tensor) in self._folded:
            return self._folded[id(tensor)]
        owners = self._weights.get(id(tensor), [])
        return [running] if running in owners else owners[:1]

    def _take(self, makers: list[str], part: str, made: Tensor) -> None:
        """Records an operation of a part."""
        self.recorded.nodes.setdefault(part)
        for name in _within(part):
            self.recorded.shapes[name] = tuple(made.shape)
        for maker in makers:
            self._edge(maker, part)
            if maker in self.recorded.joints:
                self.recorded.joints[maker].is_consumed = True

    def _joint(self, module: str, operation: str, makers: list[str]) -> str:
        joints = self.recorded.joints
        open_ones = [
            one for one in makers if one in joints and joints[one].module == module and not joints[one].is_consumed
        ]
        same = [name for name, one in joints.items() if one.module == module and self._takes(name) >= {*makers}]
        joint = next(iter([*same, *open_ones]), None)
        if joint is None:
            number = sum(one.module == module for one in joints.values())
            joint = f"{module}{'.' if module else ''}#{number}"
            joints[joint] = Joint(joint, module)
            self.recorded.nodes.setdefault(joint)
        joints[joint].operations.add(operation)
        for maker in makers:
            self._edge(maker, joint)
        return joint

    def _takes(self, joint: str) -> set[str]:
        return {before for before, after in self.recorded.edges if after == joint} | {joint}

    def _edge(self, before: str, after: str) -> None:
        if before != after:
            self.recorded.edges.setdefault((before, after))

    def _keep(self, tensor: Tensor, maker: str) -> None:
        self._kept.append(tensor)
        self._made_by[id(tensor)] = maker


def tensors_in(value: Any) -> Iterator[Tensor]:
    """All tensors inside lists, tuples and dictionaries."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, list | tuple):
        for one in value:
            yield from tensors_in(one)
    elif isinstance(value, dict):
        yield from tensors_in(list(value.values()))


def _is_part(module: nn.Module) -> bool:
    return not isinstance(module, TRANSPARENT)


def _is_no_mask(tensor: Tensor) -> bool:
    """True unless the tensor is a boolean mask."""
    return tensor.dtype != torch.bool


def _within(name: str) -> list[str]:
    """The names of a module and of the modules around it."""
    parts = name.split(".")
    return [".".join(parts[: i + 1]) for i in range(len(parts))]
