"""Reads and writes weights in safetensors files, which may come from untrusted sources.

The header lists the tensors. It is read and compared with the model before any memory for them is allocated.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.modules.module import register_module_parameter_registration_hook
from torch.overrides import TorchFunctionMode

from seqlab.errors import InputError
from seqlab.text.plain_json import parsed, read_regular

LONGEST_HEADER = 16 << 20  # bytes
TYPES = {
    **{"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16},
    **{"I64": torch.int64, "I32": torch.int32, "I16": torch.int16, "I8": torch.int8, "U8": torch.uint8},
    "BOOL": torch.bool,
}
"""The types that weights may have, by their names in safetensors."""


class TensorInfo(NamedTuple):
    """The header's entry for a tensor."""

    type: torch.dtype
    shape: tuple[int, ...]


def write_weights(path: Path, model: nn.Module) -> None:
    """Writes a model's parameters and buffers in the precision in which models are built (single), even if the model
    was trained in another.

    Raises:
        InputError: the file cannot be written.
    """
    built, trained = torch.get_default_dtype(), next(model.parameters()).dtype
    tensors = {
        name: tensor.to("cpu", built if tensor.dtype == trained else tensor.dtype, copy=True)  # tied ones separately
        for name, tensor in model.state_dict().items()
    }
    try:
        save_file(tensors, path)
    except SafetensorError as error:
        raise InputError(f"{path}: the weights cannot be written ({error})") from None
    path.chmod(0o644)  # safetensors makes it readable for the user alone


def read_header(path: Path) -> dict[str, TensorInfo]:
    """Type and shape of each tensor in a weights file, by name, without reading the tensors.

    Raises:
        InputError: no such file, or its header is invalid.
    """
    try:
        first = read_regular(path, 8)
        length = int.from_bytes(first, "little")
        if len(first) < 8 or length > LONGEST_HEADER:
            raise ValueError("no header of safetensors")
        size = path.stat().st_size - 8 - length
        header = parsed(read_regular(path, 8 + length)[8:], dict)
        header.pop("__metadata__", None)
        stored = {name: _tensor_info(name, entry) for name, entry in header.items()}
    except InputError:
        raise
    except ValueError as error:
        raise InputError(f"{path}: not a readable weights file ({error})") from None
    if (described := sum(math.prod(one.shape) * one.type.itemsize for one in stored.values())) != size:
        raise InputError(
            f"{path}: not a readable weights file (its header describes {described:,} bytes, but it has {size:,})"
        )
    return stored


def _tensor_info(name: str, entry: Any) -> TensorInfo:
    try:
        kind, shape = entry["dtype"], entry["shape"]
        whole = all(isinstance(size, int) and not isinstance(size, bool) and size >= 0 for size in shape)
    except (KeyError, TypeError):
        raise ValueError(f"no type or shape of {name[:80]!r}") from None
    if not (whole and len(shape) <= 8):
        raise ValueError(f"no shape of {name[:80]!r}")
    if not isinstance(kind, str) or kind not in TYPES:
        raise ValueError(f"{name[:80]} is of type {str(kind)[:20]}; expected one of {', '.join(TYPES)}")
    return TensorInfo(TYPES[kind], tuple(shape))


def count_elements(stored: Mapping[str, TensorInfo]) -> int:
    """Number of elements of all tensors together."""
    return sum(math.prod(one.shape) for one in stored.values())


@contextmanager
def limited_parameters(stored: Mapping[str, TensorInfo]) -> Iterator[None]:
    """While a model is built, limits the number of its parameters, and their sizes, to those of the stored tensors.

    A parameter is checked when a module registers it, before it is initialised. The limit is twice the number of
    tensors, because tied parameters replace others.

    Raises:
        ValueError: the model exceeds a limit, for example because a setting asks for very many layers.
    """
    limit, largest, count = 2 * len(stored) + 16, count_elements(stored), 0

    def counted(module: nn.Module, name: str, parameter: Any) -> None:
        nonlocal count
        count += 1
        if count > limit:
            raise ValueError(f"it has more parameters than there are weights ({len(stored)})")
        if parameter is not None and parameter.device.type != "meta" and parameter.numel() > largest:
            raise ValueError(f"its {name} alone is larger than all weights together ({largest:,} elements)")

    hook = register_module_parameter_registration_hook(counted)
    try:
        yield
    finally:
        hook.remove()


class NoInitialization(TorchFunctionMode):
    """Skips the initialization of parameters while a model is built on the meta device, where they have no values.

    To draw random numbers on that device, torch would import `torch._dynamo`, which takes longer than a prediction.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in (Tensor.normal_, Tensor.uniform_) or getattr(func, "__module__", None) == nn.init.__name__:
            return next(iter((*args, *(kwargs or {}).values())))
        return func(*args, **(kwargs or {}))


def check_fit(expected: Mapping[str, Tensor], stored: Mapping[str, TensorInfo], path: Path) -> None:
    """Checks that the tensors of a file are those that a model expects, by name, shape and type.

    Raises:
        InputError: they differ.
    """
    reasons = [f"no {name} in the file" for name in expected if name not in stored]
    reasons += [f"{name[:80]} is not of the model" for name in stored if name not in expected]
    for name, tensor in expected.items():
        info = TensorInfo(tensor.dtype, tuple(tensor.shape))
        if name in stored and stored[name] != info:
            reasons.append(f"{name} is {_shown(stored[name])}, but the model has {_shown(info)}")
    if reasons:
        more = f", and {len(reasons) - 1} more" if len(reasons) > 1 else ""
        raise InputError(f"{path}: these weights are not of this model: {reasons[0]}{more}")


def _shown(info: TensorInfo) -> str:
    return f"{info.shape} of {str(info.type).removeprefix('torch.')}"


def load_weights(model: nn.Module, path: Path) -> None:
    """Loads weights that `check_fit` has accepted.

    Raises:
        InputError: the file is broken, or weights are not finite.
    """
    try:
        tensors = load_file(path)
        model.load_state_dict(tensors)
    except (OSError, SafetensorError, RuntimeError) as error:
        raise InputError(f"{path}: not a readable weights file ({' '.join(str(error).split())})") from None
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not tensor.isfinite().all():
            raise InputError(f"{path}: {name} has values that are not finite; has the model diverged?")
