"""Writes JSON files atomically."""

import json
import math
from pathlib import Path
from typing import Any

from hydra_pruning_sweeper.atomic_files import write_atomically


def write_json(path: Path, content: Any) -> None:
    """Writes readable JSON atomically. Numbers that are not finite (the perplexity of a model that has diverged) become
    null, because JSON cannot express them.
    """
    write_atomically(path, json.dumps(_finite(content), indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def _finite(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: _finite(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_finite(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content
