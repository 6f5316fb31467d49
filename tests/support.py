"""What all tests share: where the checkout is, README's example, and how types are checked while they run."""

import dataclasses
import functools
import inspect
import re
import socket
from pathlib import Path
from types import FunctionType
from typing import Any

from beartype import BeartypeConf, beartype
from jaxtyping import jaxtyped

ROOT = Path(__file__).resolve().parents[1]
GUIDE = (ROOT / "src/seqlab/models/README.md").read_text(encoding="utf-8")
"""How to write an architecture or a dataset of one's own, by an example."""
EXAMPLE = dict(re.findall(r"```(?:python|yaml)\n# (\S+\.(?:py|yaml))\n(.*?)```", GUIDE, flags=re.DOTALL))
"""Of that example: every file whose name a code block begins with, and what is in it."""

with_types = beartype(conf=BeartypeConf(is_pep484_tower=True))  # an int will do for a float
SIZES = jaxtyped("context")  # within it a letter of a shape is the same size everywhere


def checked(one: type | FunctionType) -> Any:
    """A function, or the constructor of a dataclass, that checks types and shapes of arguments and result.

    As `jaxtyped(typechecker=with_types)` does, which binds all arguments to the signature first and checks them a
    second time together with the result: more than half of the time of a test on small tensors.
    """
    if isinstance(one, type):
        if dataclasses.is_dataclass(one) and isinstance(vars(one).get("__init__"), FunctionType):
            one.__init__ = checked(one.__init__)
        return one
    if hasattr(one, "__wrapped__"):  # the constructor of a dataclass that was written, not generated
        return one
    if inspect.isgeneratorfunction(one):
        return jaxtyped(one, typechecker=with_types)
    annotated = FunctionType(one.__code__, one.__globals__, one.__name__, one.__defaults__, one.__closure__)
    annotated.__kwdefaults__ = one.__kwdefaults__
    annotated.__module__, annotated.__qualname__ = one.__module__, one.__qualname__
    annotated.__annotations__ = {name: _hint(hint, one.__globals__) for name, hint in one.__annotations__.items()}
    typed = with_types(annotated)

    @functools.wraps(one)
    def call(*args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        with SIZES:
            return typed(*args, **kwargs)

    return call


def _hint(hint: Any, names: dict[str, Any]) -> Any:
    """The type that an annotation names; anything, if that is the class that is being defined."""
    try:
        return eval(hint, names) if isinstance(hint, str) else hint
    except NameError:
        return Any


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
