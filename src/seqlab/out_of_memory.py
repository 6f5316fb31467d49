"""The error message when memory runs out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch

from seqlab.errors import RunError


@contextmanager
def memory_errors(batch_sizes: Mapping[str, Any]) -> Iterator[None]:
    """Turns running out of memory, of the GPU or the machine, into one line that names the settings to lower.

    Args:
        batch_sizes: the settings to lower, by the name that a user types, with their values.

    Raises:
        RunError: memory has run out.
    """
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise _out_of_memory(batch_sizes, error) from error
    except RuntimeError as error:
        if "can't allocate memory" not in str(error):
            raise
        raise _out_of_memory(batch_sizes, error) from error


def _out_of_memory(batch_sizes: Mapping[str, Any], error: BaseException) -> RunError:
    sizes = [f"{name} ({size})" for name, size in batch_sizes.items()]
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return RunError(f"out of memory: lower {', '.join(sizes)} or the model's width ({reason})")
