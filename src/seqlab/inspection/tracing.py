"""Which part of a model made which tensor, and of what: recorded while the model works, whatever its code looks like.

Every operation belongs to a part: to the module whose weights it takes, else to the module without further parts that
is at work. What a module with parts computes itself is passed on, or, of several tensors, becomes a joint: the sum of a
residual connection, say.
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
"""Modules that change nothing once training is over."""
FRESH = ("zeros_like", "ones_like", "full_like", "empty_like", "new_zeros", "new_ones", "new_full", "new_empty")
"""Operations that take the shape of what they are given, but none of its values."""
SIGNS = {"add": "+", "__add__": "+", "__radd__": "+", "mul": "×", "__mul__": "×", "__rmul__": "×", "cat": "concat"}


@dataclass
class Joint:
    """Several tensors made into one by a module that has parts, in operations that follow each other."""

    name: str
    module: str
    operations: set[str] = field(default_factory=set)
    given_on: bool = False  # to a part: what is computed of it later is another joint

    @property
    def sign(self) -> str:
        """The operation, if it is one."""
        signs = {SIGNS.get(operation, operation) for operation in self.operations}
        return signs.pop() if len(signs) == 1 else "·"


@dataclass
class Recorded:
    """What was seen of one phase: parts by the names of their modules, in the order in which they came to work.

    Attributes:
        nodes: parts and joints.
        shapes: of what each module gave last.
        calls: operations of each part, or calls of its module.
        edges: from what made a tensor to what took it, each once, in order; sources, states and results among them.
    """

    nodes: dict[str, None] = field(default_factory=dict)
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    calls: dict[str, int] = field(default_factory=dict)
    edges: dict[tuple[str, str], None] = field(default_factory=dict)
    joints: dict[str, Joint] = field(default_factory=dict)


class Flow(TorchFunctionMode):
    """Records while it is entered; `phase` begins a new part of the record, `name` tells what a tensor is called."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.recorded = Recorded()
        self._modules = {name: module for name, module in model.named_modules() if name and _counts(module)}
        self._composed = {name.rpartition(".")[0] for name in self._modules} | {""}
        self._weights: dict[int, list[str]] = {}
        for name, module in self._modules.items():
            for parameter in module.parameters(recurse=False):
                self._weights.setdefault(id(parameter), []).append(name)
        self._made_by: dict[int, str] = {}
        self._folded: dict[int, list[str]] = {}  # tensors computed of weights alone, and whose they are
        self._kept: list[Tensor] = []  # a tensor that is gone would leave its id to another
        self._working: list[str] = [""]

    @contextmanager
    def watching(self) -> Iterator[Flow]:
        """Records what the model does meanwhile."""
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

    def phase(self) -> Recorded:
        """Begins a new record."""
        self.recorded = Recorded()
        return self.recorded

    def name(self, tensors: Iterable[Tensor], name: str) -> None:
        """Calls tensors by a name of their own from here on."""
        for tensor in filter(_tells, tensors):
            self._keep(tensor, name)

    def ends(self, tensors: Iterable[Tensor], name: str) -> None:
        """Tells what a result is called: an edge from whatever made it."""
        for tensor in tensors:
            if (maker := self._made_by.get(id(tensor))) is not None:
                self._edge(maker, name)

    def _begin(self, name: str) -> Callable[..., None]:
        def begin(module: nn.Module, arguments: Any) -> None:
            self._working.append(name)

        return begin

    def _end(self, name: str) -> Callable[..., None]:
        def end(module: nn.Module, arguments: Any, results: Any) -> None:
            self._working.pop()
            self.recorded.calls[name] = self.recorded.calls.get(name, 0) + 1
            if results is not None and (tensors := list(tensors_in(results))):
                self.recorded.shapes[name] = tuple(tensors[0].shape)

        return end

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        results = func(*args, **(kwargs or {}))
        given, name = list(tensors_in((args, kwargs or {}))), getattr(func, "__name__", "")
        kinds = {tensor.dtype.is_floating_point for tensor in given if id(tensor) in self._made_by}
        made = [t for t in tensors_in(results) if t.dtype.is_floating_point or (kinds == {False} and _tells(t))]
        if made and name not in FRESH:
            self._attribute(name, given, made)
        return results

    def _attribute(self, operation: str, given: list[Tensor], made: list[Tensor]) -> None:
        at_work = self._working[-1]
        makers = list(dict.fromkeys(self._made_by[id(one)] for one in given if id(one) in self._made_by))
        owners = list(dict.fromkeys(owner for one in given for owner in self._owners(one, at_work)))
        if owners and not makers and at_work not in owners:
            for tensor in made:
                self._kept.append(tensor)
                self._folded[id(tensor)] = owners
            return
        if owners:
            for owner in reversed(owners):  # of a product of weights the last is applied first
                self._take(makers, owner, made[0])
                makers = [owner]
        elif at_work not in self._composed:
            self._take(makers, at_work, made[0])
            makers = [at_work]
        elif len(makers) > 1:
            makers = [self._joint(at_work, operation, makers)]
        for tensor in made:
            if makers:
                self._keep(tensor, makers[0])

    def _owners(self, tensor: Tensor, at_work: str) -> list[str]:
        """Whose weights these are, if they are weights: of tied ones, those of the module at work."""
        if id(tensor) in self._folded:
            return self._folded[id(tensor)]
        owners = self._weights.get(id(tensor), [])
        return [at_work] if at_work in owners else owners[:1]

    def _take(self, makers: list[str], part: str, made: Tensor) -> None:
        """An operation of a part."""
        self.recorded.nodes.setdefault(part)
        for name in _within(part):
            self.recorded.shapes[name] = tuple(made.shape)
        for maker in makers:
            self._edge(maker, part)
            if maker in self.recorded.joints:
                self.recorded.joints[maker].given_on = True

    def _joint(self, module: str, operation: str, makers: list[str]) -> str:
        joints = self.recorded.joints
        open_ones = [
            one for one in makers if one in joints and joints[one].module == module and not joints[one].given_on
        ]
        same = [name for name, one in joints.items() if one.module == module and self._takes(name) >= {*makers}]
        found = next(iter([*same, *open_ones]), None)
        if found is None:
            number = sum(one.module == module for one in joints.values())
            found = f"{module}{'.' if module else ''}#{number}"
            joints[found] = Joint(found, module)
            self.recorded.nodes.setdefault(found)
        joints[found].operations.add(operation)
        for maker in makers:
            self._edge(maker, found)
        return found

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


def _counts(module: nn.Module) -> bool:
    return not isinstance(module, TRANSPARENT)


def _tells(tensor: Tensor) -> bool:
    """Whether there is more in it than where there is something."""
    return tensor.dtype != torch.bool


def _within(name: str) -> list[str]:
    """A module's name, and those of the modules around it."""
    parts = name.split(".")
    return [".".join(parts[: i + 1]) for i in range(len(parts))]
