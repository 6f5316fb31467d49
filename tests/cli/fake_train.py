"""What stands in for `seqlab-train` where runs are only to be started, stopped and found: it leaves what a run leaves.

The run's `name` says how it goes: `fails` ends with an error, `stops` sends Ctrl-C to whoever started it after its
first checkpoint and finishes when it is resumed, `slow` waits to be told to stop; others finish. `calls.txt` has a line
a call.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

words = [word.split("=", 1) for word in sys.argv[1:] if word != "-m"]
given = {name.lstrip("+"): value for name, value in words}
resumed, searches = "resume" in given, "hydra.sweep.dir" in given
folder = Path((given.get("resume") or given["hydra.sweep.dir" if searches else "hydra.run.dir"]).strip("'"))
with Path("calls.txt").open("a") as calls:
    print("search" if searches else "resume" if resumed else "begin", folder, os.environ["OMP_NUM_THREADS"], file=calls)
if searches:  # a study is only a file here; the one that stops does so once it has begun
    assert given["hydra.sweeper.threads"] == os.environ["OMP_NUM_THREADS"]
    begun = (folder / "sweep.json").exists()
    (folder / "sweep.json").touch()
    if given["name"] == "stops" and not begun:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(130))
        os.kill(int(os.environ["FAKE_RUNNER"]), signal.SIGINT)
        time.sleep(60)
    sys.exit("error: nothing is complete" if given["name"] == "fails" else 0)
if not resumed:
    overrides = [word for word in sys.argv[1:] if not word.startswith("hydra.")]
    settings = json.loads(os.environ["FAKE_SETTINGS"])[" ".join(overrides)]
    (folder / ".hydra").mkdir()
    (folder / ".hydra/overrides.yaml").write_text(json.dumps(overrides))  # JSON is YAML
    (folder / ".hydra/config.yaml").write_text(json.dumps(settings))
settings = json.loads((folder / ".hydra/config.yaml").read_text())


def told_to_stop(number, frame):
    (folder / "told.txt").write_text(signal.Signals(number).name)
    sys.exit(130)


signal.signal(signal.SIGTERM, told_to_stop)
if settings["name"] == "fails":
    print("error: it broke", file=sys.stderr)
    sys.exit(1)
(folder / "checkpoints").mkdir(exist_ok=True)
(folder / "checkpoints/last.ckpt").touch()
if settings["name"] == "stops" and not resumed:
    os.kill(int(os.environ["FAKE_RUNNER"]), signal.SIGINT)
if settings["name"] in ("stops", "slow") and not resumed:
    time.sleep(60)
result = {
    "name": settings["name"],
    "seed": settings["seed"],
    "settings": {**settings, "resume": str(folder) if resumed else None},
    "environment": {
        "code": os.environ["FAKE_CODE"],
        "commit": "0123456789abcdef",
        "device": "cpu",
        "threads": 1,
        "torch": "2.13.0",
    },
    "seconds": {"fit": 3.0, "all": 4.0},
    "metrics": {"val": {"teacher_forced/loss": 0.25 * settings["seed"]}},
    "epochs": 3,
}
(folder / "result.json").write_text(json.dumps(result))
