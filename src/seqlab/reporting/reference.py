"""`python -m seqlab.reporting.reference MULTIRUN OUTPUT.json`: the runs of several seeds as one small file."""

from __future__ import annotations

import json
import math
import statistics
import sys
from pathlib import Path
from typing import Any

from seqlab.errors import InputError
from seqlab.files import write_atomically


def collect(multirun: Path) -> dict[str, Any]:
    """What the runs below `multirun` found, with all that decides it.

    Returns:
        Name, settings, command, seeds, environment and, for each split and metric, mean, sample standard deviation
        and the values by seed.

    Raises:
        InputError: no finished run there, or runs that differ in more than their seed, their code included.
    """
    runs = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(multirun.glob("*/result.json"))]
    if not runs:
        raise InputError(f"{multirun}: no finished runs (*/result.json) here")
    runs.sort(key=lambda run: run["seed"])
    settings = [{key: value for key, value in run["settings"].items() if key != "seed"} for run in runs]
    if any(other != settings[0] for other in settings):
        raise InputError(f"{multirun}: the runs differ in more than their seed")
    if any(run["environment"] != runs[0]["environment"] for run in runs):
        raise InputError(f"{multirun}: the runs were made with different code, versions or machines")
    first = runs[0]
    seeds = [run["seed"] for run in runs]
    metrics = {
        split: {name: spread([run["metrics"][split][name] for run in runs]) for name in values}
        for split, values in first["metrics"].items()
    }
    return {
        "name": first["name"],
        "command": f"seqlab-train -m experiment={first['name']} seed={','.join(map(str, seeds))}",
        "seeds": seeds,
        "examples": first["examples"],
        "measured": first["measured"],
        "parameters": first["parameters"],
        "epochs": first["epochs"],
        "weights": first["weights"],
        "precision": first["precision"],
        "seconds": spread([run["seconds"]["fit"] for run in runs]),
        "environment": first["environment"],
        "metrics": metrics,
        "settings": settings[0],
    }


def spread(values: list[float]) -> dict[str, Any]:
    """Mean and sample standard deviation (0 of a single value), with the values themselves.

    A value that is not finite (the perplexity of a run that went wrong) leaves no deviation: NaN.
    """
    if not all(map(math.isfinite, values)):
        return {"mean": sum(values) / len(values), "sd": math.nan, "values": values}
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    return {"mean": statistics.fmean(values), "sd": deviation, "values": values}


def main() -> None:
    """The command line."""
    multirun, output = map(Path, sys.argv[1:3])
    try:
        content = collect(multirun)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    write_atomically(output, json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    print(f"{len(content['seeds'])} runs of {content['name']} kept in {output}")


if __name__ == "__main__":
    main()
