"""How trials end, and how slots used their time."""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from optuna.trial import FrozenTrial, TrialState

from hydra_pruning_sweeper.execution.executor import JobEnd
from hydra_pruning_sweeper.messages import plural
from hydra_pruning_sweeper.objectives import Value
from hydra_pruning_sweeper.study.rules import failed_for_good
from hydra_pruning_sweeper.study.shared_study import ERROR
from hydra_pruning_sweeper.trial.events import TrialProgress

STOPS = {128 + number for number in (signal.SIGINT, signal.SIGKILL, signal.SIGTERM)}
"""Exit codes of a process that handles a signal and then exits."""

DIVERGED = "diverged"  # why a trial is pruned that no pruner pruned


@dataclass(frozen=True)
class Outcome:
    """How a trial ended: its state, its value, or why it failed or was pruned. A paused trial is still running for
    Optuna; it has the step after which it was paused.
    """

    state: TrialState
    value: Value | None = None
    error: str | None = None
    paused_after: int | None = None


def settled_outcome(progress: TrialProgress, promoted: Collection[int] = ()) -> Outcome | None:
    """How a trial ended, by its events and the steps from which it was promoted; None if they do not show that."""
    if progress.diverged:
        return Outcome(TrialState.PRUNED, error=DIVERGED)
    if progress.pruned:
        return Outcome(TrialState.PRUNED)
    if (step := progress.paused_after(promoted)) is not None:
        return Outcome(TrialState.RUNNING, paused_after=step)
    if progress.ended and progress.value is not None:
        values = progress.value if isinstance(progress.value, list) else [progress.value]
        if not all(map(math.isfinite, values)):
            return Outcome(TrialState.PRUNED, error=DIVERGED)
        return Outcome(TrialState.COMPLETE, progress.value)
    return None


def forgotten_best(progress: TrialProgress, sign: int) -> float | None:
    """The best value that a trial reported before it was continued, if its result shows that it no longer knew it: the
    result is the best of what was reported since, and that is worse.

    None where the result shows nothing: the task may well return its last value.

    Args:
        sign: 1 where the smallest value is the best, -1 where the largest is.
    """
    if len(progress.spans) < 2 or not isinstance(progress.value, float):
        return None
    continued = progress.spans[-1].start
    before = [sign * raw for step, raw in progress.raw.items() if progress.times[step] < continued]
    since = [sign * raw for step, raw in progress.raw.items() if progress.times[step] >= continued]
    if not before or not since or since[-1] == min(since) or not math.isclose(sign * progress.value, min(since)):
        return None
    return sign * min(before) if min(before) < min(since) else None


def was_killed(ended: JobEnd) -> bool:
    """Whether a signal stopped a trial's process, so that the trial is to be continued."""
    return ended.code is None or ended.code < 0 or ended.code in STOPS


def cause_of_death(ended: JobEnd) -> str:
    """What stopped a process: an error, a signal's name, or an exit code."""
    if ended.error is not None:
        return ended.error
    code = ended.code or 0
    number = -code if code < 0 else code - 128
    with suppress(ValueError):
        return signal.Signals(number).name
    return f"exit code {code}"


def why_nothing_is_best(trials: Sequence[FrozenTrial]) -> str | None:
    """Why a study has no best trial; None if it has one."""
    if any(one.state == TrialState.COMPLETE for one in trials):
        return None
    pruned = [one for one in trials if one.state == TrialState.PRUNED]
    failed = len(failed_for_good(trials))
    diverged = sum(one.user_attrs.get(ERROR) == DIVERGED for one in pruned)
    if diverged and diverged == len(pruned) + failed:
        return f"no trial is complete: all of {plural(diverged, 'trial')} diverged; search smaller learning rates"
    return (
        f"no trial is complete: {diverged} diverged, {len(pruned) - diverged} were pruned while they trained,"
        f" {failed} failed"
    )


@dataclass
class SlotUse:
    """How slots used their time; all times are in seconds.

    Args:
        started, last_started: when the sweep, and its latest trial, were started.
        spans: the times during which a slot had a trial.
        overheads: per trial, the time before its first and after its last training step.
    """

    started: float = field(default_factory=time.time)
    last_started: float | None = None
    spans: list[tuple[float, float]] = field(default_factory=list)
    overheads: list[tuple[float, float]] = field(default_factory=list)


def utilisation(use: SlotUse, slots: int) -> float | None:
    """The share of time in which slots had a trial, until the last trial was started, after which slots must idle.

    None unless some slot had a second trial.
    """
    if use.last_started is None or len(use.spans) <= slots:
        return None
    busy = sum(max(0.0, min(end, use.last_started) - start) for start, end in use.spans)
    return busy / (slots * (use.last_started - use.started))
