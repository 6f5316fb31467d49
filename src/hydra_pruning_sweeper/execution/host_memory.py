"""The machine's memory: how much is free, and how much a job takes. Known on Linux only."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

LIMITS = (  # of a control group, as a container has one: what it may use, what it uses, the line of what can be dropped
    ("memory.max", "memory.current", "inactive_file"),
    ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "total_inactive_file"),
)


def free_bytes(system: Path = Path("/")) -> float | None:
    """Bytes that processes may still use; None where the system does not tell.

    Args:
        system: the folder in which `proc` and `sys` are.
    """
    known = [one for one in (_of_machine(system), *(_of_group(system, *limit) for limit in LIMITS)) if one is not None]
    return min(known, default=None)


def _of_machine(system: Path) -> float | None:
    return _entry(system / "proc/meminfo", "MemAvailable:", 1024)


def _of_group(system: Path, limit: str, usage: str, droppable: str) -> float | None:
    folder = system / "sys/fs/cgroup"
    try:
        most, used = (int((folder / name).read_text(encoding="utf-8")) for name in (limit, usage))
    except (OSError, ValueError):  # there is no such group, or "max"
        return None
    dropped = _entry((folder / limit).with_name("memory.stat"), droppable, 1) or 0.0
    return max(0.0, most - used + dropped)


def _entry(path: Path, name: str, unit: int) -> float | None:
    """The number behind a name in a file of lines."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    words = next((line.split() for line in lines if line.split()[:1] == [name]), None)
    return None if words is None else float(words[1]) * unit


def bytes_of_groups(leaders: Collection[int], system: Path = Path("/")) -> dict[int, float]:
    """Bytes that the processes of a group use and share with no other process, by the group's leader.

    What a job has from the server that forked it is shared, until the job writes to it. A group that has ended is left
    out, as are all where the system does not tell.

    Args:
        leaders: the process numbers of the leaders.
        system: the folder in which `proc` is.
    """
    totals: dict[int, float] = {}
    for folder in (system / "proc").glob("[0-9]*") if leaders else ():
        try:
            leader = int((folder / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[2])
            if leader not in leaders:
                continue
            lines = (folder / "smaps_rollup").read_text(encoding="utf-8").splitlines()
        except (OSError, ValueError, IndexError):  # it has ended, or belongs to someone else
            continue
        sizes = [line.split() for line in lines if line.startswith(("Private_", "Swap:"))]
        totals[leader] = totals.get(leader, 0.0) + sum(float(words[1]) * 1024 for words in sizes)
    return totals
