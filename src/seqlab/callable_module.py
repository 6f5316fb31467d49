"""Modules that can be called: `seqlab.train` is the module of a command, and `from seqlab import train` a function."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any


def make_callable(name: str, function: Callable[..., Any]) -> None:
    """Has a call of the module `name` call `function`, whichever of both names was imported first."""

    class CallableModule(ModuleType):
        def __call__(self, *arguments: Any, **more: Any) -> Any:
            return function(*arguments, **more)

    sys.modules[name].__class__ = CallableModule
