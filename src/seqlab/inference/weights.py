"""Weights as safetensors, from a file that may come from anywhere.

The header, which says what tensors there are, is read and held against the model before anything of their size is made.
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

from seqlab.errors import InputError
from seqlab.text.plain_json import parsed, read_regular

LONGEST_HEADER = 16 << 20  # bytes
TYPES = {
    **{"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16},
    **{"I64": torch.int64, "I32": torch.int32, "I16": torch.int16, "I8": torch.int8, "U8": torch.uint8},
    "BOOL": torch.bool,
}
"""By safetensors' names."""


class Kept(NamedTuple):
    """What the header says of a tensor."""

    type: torch.dtype
    shape: tuple[int, ...]


def write_weights(path: Path, model: nn.Module) -> None:
    """Writes a model's parameters and buffers in the precision in which models are built (single), whatever precision
    it was trained in.

    Raises:
        InputError: they cannot be written.
    """
    built, trained = torch.get_default_dtype(), next(model.parameters()).dtype
    tensors = {
        name: tensor.to("cpu", built if tensor.dtype == trained else tensor.dtype, copy=True)  # tied ones apart
        for name, tensor in model.state_dict().items()
    }
    try:
        save_file(tensors, path)
    except SafetensorError as error:
        raise InputError(f"{path}: the weights cannot be written ({error})") from None
    path.chmod(0o644)  # safetensors writes for the user alone


def read_header(path: Path) -> dict[str, Kept]:
    """The tensors of a weights file, by name, without reading them.

    Raises:
        InputError: no such file, or no weights in it that could be a model's.
    """
    try:
        first = read_regular(path, 8)
        length = int.from_bytes(first, "little")
        if len(first) < 8 or length > LONGEST_HEADER:
            raise ValueError("no header of safetensors")
        size = path.stat().st_size - 8 - length
        header = parsed(read_regular(path, 8 + length)[8:], dict)
        header.pop("__metadata__", None)
        kept = {name: _kept(name, entry) for name, entry in header.items()}
    except InputError:
        raise
    except ValueError as error:
        raise InputError(f"{path}: not a readable weights file ({error})") from None
    if (described := sum(math.prod(one.shape) * one.type.itemsize for one in kept.values())) != size:
        raise InputError(
            f"{path}: not a readable weights file (its header tells of {described:,} bytes, but it has {size:,})"
        )
    return kept


def _kept(name: str, entry: Any) -> Kept:
    try:
        kind, shape = entry["dtype"], entry["shape"]
        whole = all(isinstance(size, int) and not isinstance(size, bool) and size >= 0 for size in shape)
    except (KeyError, TypeError):
        raise ValueError(f"no type or shape of {name[:80]!r}") from None
    if not (whole and len(shape) <= 8):
        raise ValueError(f"no shape of {name[:80]!r}")
    if not isinstance(kind, str) or kind not in TYPES:
        raise ValueError(f"{name[:80]} is of type {str(kind)[:20]}; expected one of {', '.join(TYPES)}")
    return Kept(TYPES[kind], tuple(shape))


def numbers_in(kept: Mapping[str, Kept]) -> int:
    """Number of elements of all tensors together."""
    return sum(math.prod(one.shape) for one in kept.values())


@contextmanager
def no_more_than(kept: Mapping[str, Kept]) -> Iterator[None]:
    """While a model is built: it may have no more parameters than there are tensors, and no larger ones.

    It is stopped where a parameter comes in, before it is drawn. Twice as many may come, for tied ones replace others.

    Raises:
        ValueError: it has more, as where a setting asks for any number of layers.
    """
    limit, largest, count = 2 * len(kept) + 16, numbers_in(kept), 0

    def counted(module: nn.Module, name: str, parameter: Any) -> None:
        nonlocal count
        count += 1
        if count > limit:
            raise ValueError(f"it has more parts than there are weights ({len(kept)})")
        if parameter is not None and parameter.device.type != "meta" and parameter.numel() > largest:
            raise ValueError(f"its {name} alone is larger than all weights together ({largest:,} numbers)")

    hook = register_module_parameter_registration_hook(counted)
    try:
        yield
    finally:
        hook.remove()


def check_fit(expected: Mapping[str, Tensor], kept: Mapping[str, Kept], path: Path) -> None:
    """Holds the tensors of a file against those of a model, by name, shape and type.

    Raises:
        InputError: they differ.
    """
    reasons = [f"no {name} in the file" for name in expected if name not in kept]
    reasons += [f"{name[:80]} is not of the model" for name in kept if name not in expected]
    for name, tensor in expected.items():
        own = Kept(tensor.dtype, tuple(tensor.shape))
        if name in kept and kept[name] != own:
            reasons.append(f"{name} is {_shown(kept[name])}, but the model has {_shown(own)}")
    if reasons:
        more = f", and {len(reasons) - 1} more" if len(reasons) > 1 else ""
        raise InputError(f"{path}: these weights are not of this model: {reasons[0]}{more}")


def _shown(one: Kept) -> str:
    return f"{one.shape} of {str(one.type).removeprefix('torch.')}"


def load_weights(model: nn.Module, path: Path) -> None:
    """Reads weights that `check_fit` has found to be the model's.

    Raises:
        InputError: a broken file, or weights that are not finite.
    """
    try:
        tensors = load_file(path)
        model.load_state_dict(tensors)
    except (OSError, SafetensorError, RuntimeError) as error:
        raise InputError(f"{path}: not a readable weights file ({' '.join(str(error).split())})") from None
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not tensor.isfinite().all():
            raise InputError(f"{path}: {name} holds numbers that are not finite; a model that has diverged?")
