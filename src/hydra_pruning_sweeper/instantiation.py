"""Creates the objects that a configuration describes by `_target_`, with Hydra 1.3 and 1.4."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import Any

from hydra.utils import instantiate

# Hydra 1.4 wants the caller to name the targets that a configuration may call. Those of a sweep are the user's choice.
ALLOWED = "_execution_whitelist_"


def created(setting: Any, **more: Any) -> Any:
    """The object that `setting` describes; `more` are further arguments of it."""
    if ALLOWED in inspect.signature(instantiate).parameters:
        more[ALLOWED] = list(_targets(setting))
    return instantiate(setting, **more)


def _targets(setting: Any) -> Iterator[str]:
    if isinstance(setting, Mapping):
        if "_target_" in setting:
            yield str(setting["_target_"])
        for inner in setting.values():
            yield from _targets(inner)
