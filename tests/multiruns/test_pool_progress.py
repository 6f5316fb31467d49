"""The time that is left of a pool of runs, from the runs that have ended."""

from types import SimpleNamespace
from typing import cast

from seqlab.multiruns.pool import RunEnd
from seqlab.multiruns.pool_progress import PoolProgress
from seqlab.reproduction.expected_seconds import ReferenceEstimate
from seqlab.reproduction.plan import PlannedRun


def end(name, seconds, resumed=False):
    return RunEnd(cast(PlannedRun, SimpleNamespace(name=name)), seconds, resumed, None)


def test_the_pace_is_that_of_whole_runs(capsys):
    """The second run took 5 seconds from its checkpoint on: no sign that those to come take less than 200."""
    names = ["a", "b", "c", "d"]
    progress = PoolProgress(names, 0, lambda: 1, ReferenceEstimate(dict.fromkeys(names, 100.0)))
    progress.ended(end("a", 200.0))
    progress.ended(end("b", 5.0, resumed=True))
    first, second = capsys.readouterr().out.splitlines()
    assert first.endswith("1 of 4, about 10 min 0 s left")
    assert second.endswith("2 of 4, about 6 min 40 s left")
