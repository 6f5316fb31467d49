"""What `seqlab-runs` does: a table of runs, tags, and the removal of what they have left."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console

from hydra_pruning_sweeper.messages import ago, plural, printable, wrapped
from hydra_pruning_sweeper.text_table import TextTable
from seqlab.config.runs_settings import RunsCommandSettings
from seqlab.errors import InputError
from seqlab.folders import BY_PRODUCTS, CHECKPOINTS, CONFIGURATION, RUN_FILES, clear_run
from seqlab.multiruns.listed_run import ListedRun, listed_runs, size_of
from seqlab.multiruns.run_filter import matching

PIPED = 10_000
"""Columns of a table that is written into a pipe or a file."""
MAY_RUN_SECONDS = 3600.0
"""A run that wrote something so recently, and has not ended since, may still run, so nothing of it is removed."""


def run(settings: RunsCommandSettings) -> None:
    """Lists, tags or cleans.

    Raises:
        InputError: there are no such runs, or the settings contradict each other.
    """
    runs, unread = listed_runs(settings.outputs, settings.runs)
    chosen = runs if settings.where is None else matching(runs, settings.where)
    is_chosen = settings.runs is not None or settings.where is not None
    if settings.tag is not None or settings.untag is not None:
        if not is_chosen:
            raise InputError("tag: say which runs: runs=[…], or where=…")
        tag(chosen, settings.tag, settings.untag)
    if settings.action == "clean":
        if settings.remove == "runs" and not is_chosen:
            raise InputError("clean remove=runs: say which runs: runs=[…], or where=…")
        clean(chosen, settings.remove, settings.dry_run)
    else:
        show(chosen, len(runs), settings)
    for line in unread:
        print(wrapped(f"not read: {printable(line)}", indent=2))


def show(runs: Sequence[ListedRun], all_of_them: int, settings: RunsCommandSettings) -> None:
    """Prints the table of runs, the last active first, and their number and size."""
    if not runs:
        where = "none of them is meant by where" if all_of_them else f"there are none below {settings.outputs}"
        print(wrapped(printable(f"no runs: {where}; seqlab-train makes one")))
        return
    has_tags = any(one.tags for one in runs)
    heads = ["run", "when", "data", "model", "state", "metric", "size", *(["tags"] if has_tags else [])]
    table = TextTable(heads, "lrlllrrl"[: len(heads)])
    now = time.time()
    for one in sorted(runs, key=lambda one: one.changed, reverse=True):
        cells = [str(one.folder), ago(now - one.changed), one.data, one.model, one.state, one.main_metric()]
        table.add(*cells, in_bytes(one.size), ", ".join(one.tags))
    console = Console(highlight=False, soft_wrap=True)
    if not console.is_terminal:
        console.width = PIPED
    table.show(console)
    of_all = f" of {all_of_them:,}" if len(runs) < all_of_them else ""
    print(f"\n{plural(len(runs), 'run')}{of_all}, {in_bytes(sum(one.size for one in runs))}")


def tag(runs: Sequence[ListedRun], new: str | None, old: str | None) -> None:
    """Gives runs a tag, or takes one from them."""
    for one in runs:
        tags = [*one.tags, *([new] if new is not None else [])]
        one.keep_tags(name for name in tags if name != old)


def clean(runs: Sequence[ListedRun], what: str, dry_run: bool) -> None:
    """Removes checkpoints that runs do not need any more, or all that runs have left; or shows what it would remove.

    Only what a run writes is removed: other files stay in its folder, and so does the folder then.
    """
    now, removed, room = time.time(), 0, 0
    for one in runs:
        if one.is_open and now - one.changed < MAY_RUN_SECONDS:
            print(wrapped(printable(f"left alone: {one.folder}: wrote something less than an hour ago, may still run")))
            continue
        if not (paths := list(removable(one, what))):
            continue
        size = sum(map(size_of, paths))
        removed, room = removed + 1, room + size
        named = "checkpoints" if what == "checkpoints" else f"run ({one.state})"
        print(printable(f"{'would remove' if dry_run else 'removed'}  {in_bytes(size):>9}  {one.folder}: {named}"))
        if not dry_run:
            remove(one.folder, what)
    noun = "run" if what == "runs" else "run's checkpoints" if removed == 1 else "runs' checkpoints"
    count = plural(removed, noun) if what == "runs" else f"{removed:,} {noun}"
    if not removed:
        print("nothing to remove")
    elif dry_run:
        print(wrapped(f"{count}, {in_bytes(room)}; nothing was removed yet: add dry_run=false"))
    else:
        print(f"{count}, {in_bytes(room)} removed")


def removable(run: ListedRun, what: str) -> Iterator[Path]:
    """What would be removed of a run: files and folders that it has written."""
    if what == "checkpoints":
        folder = run.folder / CHECKPOINTS
        if not run.needs_checkpoints and folder.is_dir() and not folder.is_symlink():
            yield folder
        return
    for name in (CONFIGURATION, *RUN_FILES, *BY_PRODUCTS):
        if (path := run.folder / name).is_symlink() or path.exists():
            yield path


def remove(folder: Path, what: str) -> None:
    """Removes the checkpoints of a run, or all that it has written, and its folder if that is empty then."""
    if what == "checkpoints":
        clear_run(folder, [CHECKPOINTS])
        return
    clear_run(folder, [CONFIGURATION, *RUN_FILES, *BY_PRODUCTS])
    if not any(folder.iterdir()):
        folder.rmdir()


def in_bytes(size: float) -> str:
    """A size in words: "812 B", "3.4 MB"."""
    units = ["B", "kB", "MB", "GB", "TB"]
    while size >= 1000 and len(units) > 1:
        size /= 1000
        del units[0]
    return f"{size:.0f} B" if units[0] == "B" else f"{size:.1f} {units[0]}"
