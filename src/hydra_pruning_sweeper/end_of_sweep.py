"""The user's function that is called when a sweep has ended: `hydra.sweeper.on_end`."""

from __future__ import annotations

import pkgutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hydra_pruning_sweeper.errors import UsageError
from hydra_pruning_sweeper.file_lock import file_lock
from hydra_pruning_sweeper.messages import printable, wrapped

OnEnd = Callable[[Path, int | list[int]], Any]


def on_end_function(name: Any) -> OnEnd | None:
    """The function that `hydra.sweeper.on_end` names, None if it names none. Found before the first trial begins.

    Raises:
        UsageError: it cannot be imported.
    """
    if name is None:
        return None
    try:
        function = pkgutil.resolve_name(str(name))
    except Exception as error:  # a module raises what it likes while it is imported
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise UsageError(f"hydra.sweeper.on_end={name}: not a package.module:function ({reason})") from None
    if not callable(function):
        raise UsageError(f"hydra.sweeper.on_end={name}: no function")
    return function


def call_at_end(function: OnEnd, folder: Path, best: int | list[int]) -> None:
    """Calls the function with the sweep's folder and the number of its best trial; of several objectives, with those
    of its Pareto trials.

    Controllers that share the folder call it one after another. If it fails, a line says so: the sweep is complete.
    """
    try:
        with file_lock(folder / "on_end.turn"):
            function(folder, best)
    except Exception as error:
        reason = printable(f"{type(error).__name__}: {error}")
        print(wrapped(f"hydra.sweeper.on_end failed, which changes no result: {reason}"), file=sys.stderr)
