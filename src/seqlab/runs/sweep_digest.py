"""A sweep summed up as one small mapping."""

from __future__ import annotations

import math
import shlex
from pathlib import Path
from typing import Any

from hydra_pruning_sweeper.objectives import directions_of
from seqlab.errors import InputError
from seqlab.runs.json_checks import UnfitError
from seqlab.runs.schemas import SWEEP


def digest_sweep(folder: Path, storage: str | None = None) -> dict[str, Any]:
    """A sweep's settings, its trials with the values they reported, and the importance of its parameters.

    The folder may come from somebody else: only the journal in it is read, or the `storage` that the user names.

    Raises:
        InputError: the folder holds no sweep, or it cannot be read.
    """
    from hydra_pruning_sweeper.study.pausing import pauses_of
    from hydra_pruning_sweeper.study.shared_study import BASELINE
    from hydra_pruning_sweeper.study.storage import JOURNAL
    from hydra_pruning_sweeper.views.recorded_sweep import open_sweep
    from hydra_pruning_sweeper.views.sweep_plots import importances

    journal = folder / JOURNAL
    if storage is None and (journal.is_symlink() or not journal.is_file()):
        # The record of somebody else's sweep could name any file.
        raise InputError(f"{folder}: no {JOURNAL} here, and a storage elsewhere is opened only where it is named")
    sweep = open_sweep(folder, storage or str(journal))
    record, best = sweep.record, [one.number for one in sweep.best_trials()]
    several = sweep.has_several_objectives
    program = Path(record.program)
    name = "seqlab-train" if program.name in ("train.py", "seqlab-train") else program.name
    study = [f"hydra.sweeper.study={record.study}", f"hydra.sweeper.n_trials={record.trials}"]
    trials = [
        {
            "number": one.number,
            "state": one.state.name,
            "value": None if several else _finite(one.value),
            **({"values": one.values or []} if several else {}),
            "steps": one.last_step or 0,
            "seconds": one.duration.total_seconds() if one.duration else None,
            "parameters": {name: _shown(value) for name, value in one.params.items()},
            "reported": {
                str(step): value
                for step, value in sorted(one.intermediate_values.items())
                if _finite(value) is not None
            },
            "baseline": bool(one.user_attrs.get(BASELINE)),
            "pauses": [{"step": pause.step, "promoted": pause.promoted is not None} for pause in pauses_of(one)],
        }
        for one in sweep.trials()
    ]
    content = {
        "study": record.study,
        "folder": str(folder),
        "command": shlex.join([name, "-m", *record.flags, *record.fixed, *study]),
        "direction": ", ".join(directions_of(record.direction)),
        "rungs": record.rungs,
        "best": best[0] if best and not several else None,
        "parameters": sweep.parameters(),
        "importance": importances(sweep),
        "trials": trials,
        **({"objectives": record.direction, "pareto": best} if several else {}),
    }
    try:
        SWEEP(content)
    except UnfitError as problem:
        raise InputError(f"{folder}: no study as a sweep leaves it ({problem})") from None
    return content


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _shown(value: Any) -> Any:
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
