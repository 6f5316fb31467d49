"""How fast a job trains and what memory of its GPU it takes: a small file, for the process that chooses the number of
slots."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from hydra_pruning_sweeper.atomic_files import write_atomically

PACE_VARIABLE = "SWEEPER_PACE"  # environment variable with the path of the file, where somebody reads it
PACE_FILE = "pace.json"


@dataclass(frozen=True)
class DeviceMemory:
    """Memory of a GPU, in bytes.

    Args:
        reserved: the most that this process has reserved for tensors.
        free, total: of the whole GPU, whoever uses it.
    """

    reserved: float
    free: float
    total: float


@dataclass(frozen=True)
class Pace:
    """What a process has trained since it began.

    Args:
        steps: batches.
        seconds: how long they took, without validation.
        device: the memory of its GPU; None without one.
        ahead: batches that it still has to train, unless it stops early; None if its settings do not say.
    """

    steps: int
    seconds: float
    device: DeviceMemory | None = None
    ahead: float | None = None

    def write(self, path: Path) -> None:
        """Writes it to a file."""
        write_atomically(path, json.dumps(asdict(self)) + "\n")

    @classmethod
    def read(cls, path: Path) -> Pace | None:
        """What was last written to a file; None if that is nothing that can be read."""
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            device = content["device"]
            memory = None if device is None else DeviceMemory(**{name: float(device[name]) for name in MEMORY})
            ahead = content["ahead"]
            return cls(
                int(content["steps"]), float(content["seconds"]), memory, None if ahead is None else float(ahead)
            )
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None


MEMORY = ("reserved", "free", "total")


def pace_path(environment: Mapping[str, str] = os.environ) -> Path | None:
    """The file to which this process is to write its pace; None if nobody reads it."""
    path = environment.get(PACE_VARIABLE)
    return Path(path) if path else None
