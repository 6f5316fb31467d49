"""A training that takes no time: its learning curve is a formula of the settings, and it behaves as it is told.

Called as the entry point of a trial. It keeps a checkpoint (the step) and a log of the values that it came to.
"""

import json
import math
import os
import sys
import time
from pathlib import Path

from hydra_pruning_sweeper.trial.context import context_of_trial
from hydra_pruning_sweeper.trial.events import TrialEvents
from hydra_pruning_sweeper.trial.reporter import reporter


def curve(x: float, width: int, step: int) -> float:
    """Falls towards a floor that depends on the settings; never twice the same."""
    floor = (math.log10(x) + 2.3) ** 2 + 0.01 * abs(width - 32)
    return floor + math.exp(-step / (2 + width / 32)) + 0.001 * math.sin(37 * x * step)


def main():
    settings = dict(argument.split("=", 1) for argument in sys.argv[1:])
    x, width, steps = float(settings["x"]), int(settings["width"]), int(settings["steps"])
    how, pause = settings.get("how", "well"), float(settings.get("pause", 0))
    given = context_of_trial()
    folder = Path(given.folder)
    events, told = TrialEvents(folder), reporter()
    checkpoint, log = folder / "checkpoint.json", folder / "curve.txt"
    state = json.loads(checkpoint.read_text()) if checkpoint.is_file() else {"step": 0, "best": math.inf}
    marker = folder / "stumbled"
    if how in ("fails", "fails_apart") or (how == "fails_once" and given.number < 1):
        print(f"ValueError: nothing but trouble{f' with {x}' if how == 'fails_apart' else ''}", file=sys.stderr)
        sys.exit(3)
    while state["step"] < steps:
        step = state["step"] + 1
        if step == 1:
            events.add("first_step")
        time.sleep(pause)
        if how == "hangs":
            time.sleep(1000)
        if how == "dies_once" and step == 3 and not marker.exists():
            marker.touch()
            os.kill(os.getpid(), 9)
        value = math.nan if how == "diverges" and step == 2 else curve(x, width, step)
        with log.open("a") as file:
            file.write(f"{step} {value!r}\n")
        state = {"step": step, "best": min(state["best"], value)}
        if told.report(step, value, last=step == steps):
            break
        checkpoint.with_suffix(".tmp").write_text(json.dumps(state))
        checkpoint.with_suffix(".tmp").replace(checkpoint)
    events.add("last_step")
    return state["best"]
