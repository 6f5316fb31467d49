"""Reads runs, references and sweeps, writes the page and prints where it is."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from hydra_pruning_sweeper.atomic_files import write_atomically
from hydra_pruning_sweeper.messages import plural, printable, wrapped
from seqlab.kinds import NOTHING, Trust
from seqlab.reporting.page.render import render
from seqlab.reporting.page.sources import gather
from seqlab.reporting.page.tables import claims_and_comparisons
from seqlab.runs.run_digest import digest
from seqlab.runs.run_folder import command
from seqlab.runs.schemas import Digest
from seqlab.runs.sweep_digest import digest_sweep


def write_report(
    outputs: Path,
    runs: Sequence[Path] | None,
    output: Path,
    draw: Callable[[], Mapping[str, str]] = dict,
    trust: Trust = NOTHING,
) -> None:
    """Writes the page about `outputs`, or about `runs` and the references in `outputs`, to `output`.

    Args:
        draw: returns architecture → diagram (SVG); called only if there is something to report.
        trust: packages whose classes the runs' bundles may name.

    Raises:
        InputError: there is nothing to report.
    """
    material = gather(outputs, runs, functools.partial(_own_digest, trust=trust), digest_sweep)
    page = render(material, output, draw())
    # A folder's name need not be valid text: what cannot be encoded is written as a question mark.
    write_atomically(output, page.encode("utf-8", "replace").decode("utf-8"))
    count = sum(len(one.runs) for one in material.groups)
    settings, claims = plural(len(material.groups), "setting"), claims_and_comparisons(material.claims)
    print(f"{plural(count, 'run')} in {settings}, {claims}, {plural(len(material.sweeps), 'sweep')}")
    for line in material.unread:
        print(wrapped(printable(f"not read: {line}"), indent=2))
    size = output.stat().st_size / 1e6
    print(wrapped(printable(f"open {output} in a browser ({size:.1f} MB, needs nothing else)")))


def _own_digest(folder: Path, trust: Trust) -> Digest:
    """The digest of a run of this machine, with a command that can be typed here: it names files in full."""
    return {**digest(folder, trust), "command": command(folder)}
