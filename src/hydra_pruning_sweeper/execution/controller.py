"""The loop of a sweep: every free slot gets the next trial, until there are enough and none is running."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType

from optuna.trial import TrialState

from hydra_pruning_sweeper.errors import ExecutionError
from hydra_pruning_sweeper.execution.executor import Executor, Job, JobEnd, why_failed
from hydra_pruning_sweeper.execution.observer import Slot, SweepObserver
from hydra_pruning_sweeper.execution.outcome import (
    Outcome,
    SlotUse,
    cause_of_death,
    forgotten_best,
    settled_outcome,
    was_killed,
    why_nothing_is_best,
)
from hydra_pruning_sweeper.execution.process_control import end_group, interrupts_handled
from hydra_pruning_sweeper.execution.slot_count import SlotCount
from hydra_pruning_sweeper.execution.tracker_variables import tracker_variables
from hydra_pruning_sweeper.execution.trial_folders import check_disk_space, check_owner, claim_folder
from hydra_pruning_sweeper.messages import plural
from hydra_pruning_sweeper.objectives import sign_of
from hydra_pruning_sweeper.study.lease import this_process
from hydra_pruning_sweeper.study.shared_study import ERROR, LeasedTrial, SharedStudy
from hydra_pruning_sweeper.trial.context import TRIAL_VARIABLE, TrialContext
from hydra_pruning_sweeper.trial.events import LOG, TrialEvents, TrialProgress, log_of

ALIKE = 3
"""A search ends if so many first trials fail for the same reason."""


@dataclass(frozen=True)
class Plan:
    """How a controller runs its trials.

    Args:
        folder: the sweep's folder; each trial gets a folder in it, named by its number.
        slots: how many trials run at a time.
        arguments: a function from a trial and its folder to its command line.
        environment: a function from a slot to its environment variables.
        trial_context: the context that all trials share.
        beat: seconds between renewals of the controller's leases.
        silence: seconds without output or a report after which a trial counts as hanging; None: never.
        grace: seconds that a trial has to save its state when the sweep is stopped.
        timeout: seconds after which no further trial is started; None: no limit.
    """

    folder: Path
    slots: SlotCount
    arguments: Callable[[LeasedTrial, Path], list[str]]
    trial_context: TrialContext
    environment: Callable[[int], Mapping[str, str]] = lambda _: {}
    beat: float = 30.0
    silence: float | None = None
    grace: float = 10.0
    timeout: float | None = None


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


class Controller:
    """Runs a study's trials. Any number of controllers may share one study.

    Args:
        shared_study: the study.
        executor: runs the trials.
        plan: how they are run.
        observer: its methods are called as things happen.
    """

    def __init__(self, shared_study: SharedStudy, executor: Executor, plan: Plan, observer: SweepObserver) -> None:
        self.shared_study, self.executor, self.plan, self.observer = shared_study, executor, plan, observer
        self.slots: list[Slot] = []
        self.use = SlotUse()
        self._interrupts = 0
        self._errors: dict[str, str | None] = {}  # values of a trial that ended → why it failed; None if it did not
        self._has_noted_forgotten = False
        self._last_beat = time.monotonic()

    def run(self) -> None:
        """Runs until there are enough trials and none is running, here or elsewhere.

        The first Ctrl-C lets the running trials finish, the second stops them, as SIGTERM does. Stopped trials
        are continued when the sweep is started again.

        Raises:
            KeyboardInterrupt: it was interrupted.
            ExecutionError: too many trials have failed, or none is complete.
        """
        self.use.started = time.time()
        if not self._is_finished():
            self._run_trials()
        if self.shared_study.has_failed():
            raise ExecutionError(self._failure())
        if self._fails_alike():
            raise ExecutionError(
                f"the first {ALIKE} trials have failed alike, so no more are started:"
                f" {next(iter(self._errors.values()))}; the same line continues the search"
            )
        if (reason := why_nothing_is_best(self.shared_study.trials())) is not None:
            raise ExecutionError(reason)

    def _run_trials(self) -> None:
        """Runs trials until there are enough or it is interrupted.

        Raises:
            KeyboardInterrupt: it was interrupted.
        """
        self.observer.preparing()
        try:
            with interrupts_handled(_interrupt):  # SIGTERM, too, so that the terminal is left as it was
                self.executor.prepare()
            self.use.started = time.time()
            with interrupts_handled(self._on_signal):
                self._loop()
        finally:
            self.executor.close()
            with contextlib.suppress(Exception):  # after an error, another controller may take the trials
                self._release()
        if self._interrupts:
            raise KeyboardInterrupt

    def _loop(self) -> None:
        while self._interrupts < 2:
            filled = self._fill()
            if not filled and all(slot.leased is None for slot in self.slots) and self._is_finished():
                return
            self._collect_ended(0.2)
            self._check_signs_of_life()
        self._stop()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._interrupts += 1 if number == signal.SIGINT else 2
        running = sum(slot.leased is not None for slot in self.slots)
        if self._interrupts == 1:
            self.observer.note(
                f"finishing {plural(running, 'running trial')}; Ctrl-C again stops them, to be continued later"
            )

    def _fill(self) -> bool:
        """Gives each free slot a trial while there are any; returns whether there was one."""
        filled = False
        for slot in self._open_slots():
            taken_at = time.time()
            leased = self.shared_study.take(may_start=not (self._interrupts or self._is_late() or self._fails_alike()))
            if leased is None:
                return filled
            slot.leased, slot.taken_at, filled = leased, taken_at, True
            self.use.last_started = taken_at
            self._start(slot, leased)
        return filled

    def _open_slots(self) -> list[Slot]:
        """The slots that may get a trial now; there are as many slots as are allowed, or have a trial."""
        allowed = self.plan.slots.allowed()
        while len(self.slots) > allowed and self.slots[-1].leased is None:
            self.slots.pop()
        self.slots += [Slot(number) for number in range(len(self.slots), allowed)]
        running = sum(slot.leased is not None for slot in self.slots)
        return [slot for slot in self.slots[:allowed] if slot.leased is None][: max(0, allowed - running)]

    def _is_finished(self) -> bool:
        """Whether no controller runs a trial any more: this one continues those of a controller that dies."""
        if self._interrupts or self._fails_alike():
            return True
        if (pruned := self.shared_study.finish()) is None:
            if late := self._is_late():
                self.observer.note("the time is over (hydra.sweeper.timeout); the same line continues the search")
            return late
        if (reason := self.shared_study.why_early(self.shared_study.trials())) is not None:
            self.observer.note(f"no more trials: {reason}")
        if pruned:
            self.observer.note(f"no more is promoted: paused trials are pruned ({', '.join(map(str, pruned))})")
        return True

    def _fails_alike(self) -> bool:
        """Whether the first trials that ended here have all failed for one reason, which others hardly escape."""
        first = [*self._errors.values()][:ALIKE]
        return len(first) == ALIKE and first[0] is not None and len(set(first)) == 1

    def _is_late(self) -> bool:
        """Whether no further trial is to be started."""
        return self.plan.timeout is not None and time.time() - self.use.started > self.plan.timeout

    def _start(self, slot: Slot, leased: LeasedTrial) -> None:
        """Starts or continues a trial, unless its events or its deaths show how it has ended."""
        folder = self.folder(leased.number)
        if leased.orphan is not None and not end_group(*leased.orphan):  # it dies with its controller, but not at once
            self.observer.note(
                f"trial {leased.number}: process {leased.orphan[0]}, which ran it before, may still do so;"
                " this system does not tell, so if it does, end it by hand"
            )
        trial_context = self._context_of(leased, folder)
        if (note := claim_folder(trial_context)) is not None:
            self.observer.note(note)
        outcome = settled_outcome(TrialEvents(folder).read(), leased.promoted)
        if outcome is not None:  # finished, but not recorded in the study
            return self._finish(slot, outcome)
        if leased.lease.idle > self.shared_study.rules.deaths:
            return self._finish(slot, Outcome(TrialState.FAIL, error=f"died {leased.lease.idle} times in a row"))
        environment = {
            **tracker_variables(trial_context.study, leased.number),
            **self.plan.environment(slot.number),
            TRIAL_VARIABLE: str(trial_context.write()),
        }
        environment |= self.plan.slots.prepare(leased.number, slot.number, folder)
        host, pid, start = this_process()  # before training, only the controller is known to be alive
        facts = {"slot": slot.number, "owner": self.shared_study.owner, "host": host, "pid": pid, "start": start}
        TrialEvents(folder).add("started", attempt=leased.lease.attempt, **facts)
        job = Job(leased.number, self.plan.arguments(leased, folder), folder, environment, slot.number)
        self.observer.started(leased, slot.number)
        child = self.executor.start(job)
        self.plan.slots.started(leased.number, child)
        if child is not None:
            self.shared_study.note_child(leased.number, child)
        return None

    def _context_of(self, leased: LeasedTrial, folder: Path) -> TrialContext:
        return replace(
            self.plan.trial_context,
            number=leased.number,
            folder=str(folder.resolve()),
            identity=self.shared_study.identity,
            values=leased.values,
            overrides=leased.line.typed,
        )

    def folder(self, number: int) -> Path:
        """A trial's folder."""
        return self.plan.folder / str(number)

    def _collect_ended(self, seconds: float) -> None:
        """Handles the trials that have ended, waiting at most `seconds` for one."""
        for ended in self.executor.wait(seconds):
            for slot in self.slots:
                if slot.leased is not None and slot.leased.number == ended.number:
                    self._conclude(slot, slot.leased, ended)

    def _conclude(self, slot: Slot, leased: LeasedTrial, ended: JobEnd) -> None:
        """Records how a trial ended, or gives it back to the study if its process was killed."""
        folder = self.folder(leased.number)
        check_owner(self._context_of(leased, folder))
        progress = TrialEvents(folder).read()
        outcome = settled_outcome(progress, leased.promoted)
        if outcome is None and was_killed(ended):
            stopped = self._interrupts > 1
            self.shared_study.release(leased.number, died=not stopped)  # some controller continues the same trial
            why = "stopped" if stopped else f"died ({cause_of_death(ended)}): it goes on from where it was"
            self.observer.note(f"trial {leased.number} {why}")
            self._free(slot, well=False)
            return
        if outcome is None:
            check_disk_space(self.plan.folder)  # raises: a full disk is no trial's failure
            nothing = progress.problem or "it ended without a value"
            error = nothing if ended.code == 0 else why_failed(ended, folder / LOG)
            outcome = Outcome(TrialState.FAIL, error=error)
        self._finish(slot, outcome)
        self._note_overheads(slot.taken_at, progress)
        self._note_forgotten_best(leased.number, progress)

    def _finish(self, slot: Slot, outcome: Outcome) -> None:
        assert slot.leased is not None
        number = slot.leased.number
        if outcome.paused_after is not None:
            recorded = self.shared_study.pause(number, outcome.paused_after)
        else:
            recorded = self.shared_study.tell(number, outcome.state, outcome.value, outcome.error)
        if recorded:
            state = outcome.state.name if outcome.paused_after is None else "PAUSED"
            TrialEvents(self.folder(number)).add("told", state=state, owner=self.shared_study.owner)
            self.observer.ended(number, outcome)
            values = repr(sorted(slot.leased.values.items()))  # a trial and its retries have the same
            self._errors[values] = (outcome.error or "no reason") if outcome.state == TrialState.FAIL else None
        self._free(slot, well=outcome.state != TrialState.FAIL)

    def _free(self, slot: Slot, well: bool) -> None:
        assert slot.leased is not None
        self.plan.slots.ended(slot.leased.number, well)
        slot.leased = None
        self.use.spans.append((slot.taken_at, time.time()))

    def _note_overheads(self, taken_at: float, progress: TrialProgress) -> None:
        """Notes the time that a trial took besides training, unless it ran in several attempts."""
        if len(progress.spans) == 1 and progress.first_steps and progress.last_steps:
            self.use.overheads.append((progress.first_steps[0] - taken_at, time.time() - progress.last_steps[-1]))

    def _note_forgotten_best(self, number: int, progress: TrialProgress) -> None:
        """Says once if a trial that was continued returned less than it had reached before."""
        goal = self.plan.trial_context.direction
        if self._has_noted_forgotten or not isinstance(goal, str):
            return
        if (best := forgotten_best(progress, sign_of(goal))) is None:
            return
        self._has_noted_forgotten = True
        self.observer.note(
            f"trial {number} returned {progress.value:.4g}, the best since it was continued; before, it had reported"
            f" {best:.4g}: what the application keeps as its best is not in its checkpoint, so return the last value,"
            " or the checkpoint callback's best_model_score"
        )

    def _check_signs_of_life(self) -> None:
        """Renews this controller's leases, and ends trials that hang."""
        self.observer.refresh(self.slots)
        if (line := self.plan.slots.news()) is not None:
            self.observer.note(line)
        if time.monotonic() - self._last_beat > self.plan.beat:
            self._last_beat = time.monotonic()
            for number in self.shared_study.beat():
                self.observer.note(f"trial {number} was taken over by another controller")
                self.executor.signal(number, signal.SIGKILL)
        if self.plan.silence is not None:
            for slot in self.slots:
                if slot.leased is not None and self._silence(slot) > self.plan.silence:
                    self._end_hanging(slot, slot.leased.number)

    def _silence(self, slot: Slot) -> float:
        """Seconds since a trial last printed or reported something."""
        assert slot.leased is not None
        paths = [self.folder(slot.leased.number) / name for name in (LOG, TrialEvents(Path()).path.name)]
        return time.time() - max(slot.taken_at, *(path.stat().st_mtime for path in paths if path.is_file()))

    def _end_hanging(self, slot: Slot, number: int) -> None:
        self.executor.signal(number, signal.SIGKILL)
        self._finish(slot, Outcome(TrialState.FAIL, error=f"no sign of life for {self.plan.silence:g} s"))

    def _stop(self) -> None:
        """Stops the running trials, giving them time to save their state, and releases them."""
        for sign, patience in ((signal.SIGTERM, self.plan.grace), (signal.SIGKILL, 5.0)):
            running = [slot for slot in self.slots if slot.leased is not None]
            for slot in running:
                assert slot.leased is not None
                self.executor.signal(slot.leased.number, sign)
            end = time.monotonic() + patience
            while any(slot.leased is not None for slot in running) and time.monotonic() < end:
                self._collect_ended(0.1)
        self._release()

    def _release(self) -> None:
        """Gives all trials of this controller back to the study."""
        for slot in self.slots:
            if slot.leased is not None:
                self.shared_study.release(slot.leased.number)
                slot.leased = None

    def _failure(self) -> str:
        """Why the sweep failed: too many trials did."""
        failed = self.shared_study.given_up()
        last = failed[-1]
        return (
            f"{plural(len(failed), 'trial')} failed for good, which is more than hydra.sweeper.max_failure_rate allows;"
            f" trial {last.number}: {last.user_attrs.get(ERROR)}{log_of(self.plan.folder, last.number)}"
        )
