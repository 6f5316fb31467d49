"""Runs claims, judges what came out, and keeps it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra_pruning_sweeper.differences import listed
from hydra_pruning_sweeper.execution.slots import available_cores, slot_threads, visible_gpus
from hydra_pruning_sweeper.messages import duration, printable
from seqlab.config.settings import ReproduceSettings
from seqlab.errors import InputError, RunError, StoppedError
from seqlab.files import write_json
from seqlab.reproduction.claim import FOLDER, PROFILES, Claim, read_claims
from seqlab.reproduction.criteria import Results
from seqlab.reproduction.plan import FINISHED, GOES_ON, OTHER, PlannedRun, check, make_room, runs_of, state_of
from seqlab.reproduction.pool import Pool, RunEnd, locked
from seqlab.reproduction.pool_progress import Screen, expected_seconds, reference_path
from seqlab.reproduction.probe_sentences import ask
from seqlab.reproduction.reference import reference
from seqlab.runs.run_digest import digest
from seqlab.training.provenance import code

BY_ITSELF = PROFILES[0]
"""The profile whose runs lie in the folder itself; those of another have one beside it."""


def reproduce(settings: ReproduceSettings) -> None:
    """Runs the claims that are named, as far as they are not run yet, and writes what each came to.

    Raises:
        InputError: no such claim, settings that cannot be, or no data for any.
        RunError: a run failed; the others have had their turn.
        StoppedError: somebody said stop; the same command goes on.
    """
    claims = read_claims(settings.claims, settings.profile, settings.ledger or FOLDER)
    folder = settings.folder
    if settings.profile != BY_ITSELF:
        folder = folder.with_name(f"{folder.name}_{settings.profile}")
    with locked(folder) as lock:
        Reproduction(claims, folder, settings.references, settings.jobs, settings.any_code).go(lock, settings.run)


class Reproduction:
    """One call of `seqlab-reproduce`."""

    def __init__(
        self, claims: Sequence[Claim], folder: Path, references: Path, jobs: int | None, any_code: bool
    ) -> None:
        self.claims, self.folder, self.references, self.any_code = claims, folder, references, any_code
        self.runs = runs_of(claims, folder)
        self.gpus = visible_gpus()
        self.slots = jobs or len(self.gpus) or available_cores()
        self.failed: dict[str, str] = {}  # run → why
        self.left_out: dict[str, str] = {}  # claim → what of it is not there
        self.finished: set[str] = set()
        self.todo: list[PlannedRun] = []
        self.content: dict[str, dict[str, Any]] = {}  # claim → its reference
        self.errors: list[str] = []  # of claims that could not be judged

    def go(self, lock: int, train: bool) -> None:
        """Runs (unless `train` is false), judges, keeps and shows."""
        own = code()
        for run in self.runs:
            check(run)
        known = {run.name: state_of(run, own, self.any_code) for run in self.runs}
        states = {name: state for name, (state, _) in known.items()}
        self.finished = {name for name, state in states.items() if state == FINISHED}
        self.todo = self._possible([run for run in self.runs if train and run.name not in self.finished])
        todo = list(self.todo)
        expected = expected_seconds(self.claims, self.runs, self.references)
        todo.sort(key=lambda run: -expected.get(run.name, 0.0))  # the longest first: no core is idle in the end
        self._announce(todo, states, expected)
        screen = Screen([run.name for run in todo], len(self.finished), self.slots, expected)
        pool = Pool(self.slots, 1 if not self.gpus else slot_threads(self.slots), self.gpus, lock)

        def begin(run: PlannedRun) -> bool:
            if states[run.name] == GOES_ON:
                return True
            if moved := make_room(run, self.folder.with_name(f"{self.folder.name}_aside"), own):
                other = listed(known[run.name][1])
                screen.line(f"{run.name:<20} a run of other settings or code was there ({other}); it is now {moved}")
            return False

        def ended(end: RunEnd) -> None:
            if pool.stopping and end.error is not None:
                return  # it was told to stop
            screen.ended(end)
            if end.error is None:
                self.finished.add(end.run.name)
            else:
                self.failed[end.run.name] = f"{end.error} ({end.run.log})"
            self._conclude(end.run.claim, screen)

        for claim in self.claims:
            self._conclude(claim, screen)
        try:
            complete = pool.run(todo, begin, ended, lambda: screen.look(pool.running, pool.stopping))
        finally:
            screen.close()
        if not complete:
            raise StoppedError("stopped; what ran is saved, and the same command goes on")
        self._show()
        show_page(self.references.parent)
        self._complain()

    def _possible(self, runs: Sequence[PlannedRun]) -> list[PlannedRun]:
        """Those whose data are there."""
        for claim in self.claims:
            mine = any(run.claim.name == claim.name for run in runs)
            if mine and (missing := claim.missing()):
                self.left_out[claim.name] = "; ".join(f"{one.resolved()} is not there: {one.get}" for one in missing)
                print(printable(f"claim {claim.name} is left out: {self.left_out[claim.name]}"), flush=True)
        return [run for run in runs if run.claim.name not in self.left_out]

    def _announce(self, todo: Sequence[PlannedRun], states: dict[str, str], expected: dict[str, float]) -> None:
        going_on = sum(states[run.name] == GOES_ON for run in todo)
        parts = [f"runs: {len(self.finished)} finished before"] if self.finished else ["runs: none finished before"]
        parts += [f"{going_on} to go on"] if going_on else []
        parts += [f"{len(todo) - going_on} to begin"]
        if other := sum(states[run.name] == OTHER for run in todo):
            parts[-1] += f" ({other} were run with other settings or code)"
        if expected and todo:
            seconds = [expected[run.name] for run in todo]
            parts.append(f"about {duration(max(max(seconds), sum(seconds) / self.slots))}")
        where = f"{len(self.gpus)} GPU" if self.gpus else "one thread each"
        print(f"{', '.join(parts)}; {self.slots} at a time, {where}", flush=True)

    def _conclude(self, claim: Claim, screen: Screen) -> None:
        """Judges a claim when the last of its runs has ended; nothing where none of them finished."""
        mine = [run for run in self.runs if run.claim.name == claim.name]
        finished = [run for run in mine if run.name in self.finished]
        ahead = {run.name for run in self.todo if run.claim.name == claim.name} - self.finished - self.failed.keys()
        if ahead or not finished:
            return
        try:
            groups = {}
            for group in claim.groups:
                own = [run.folder for run in finished if run.group.label == group.label]
                said = [ask(one, claim.say) for one in own] if claim.say else []
                groups[group.label] = Results([digest(one) for one in own], len(group.seeds), said)
            lacking = len(mine) - len(finished)
            why = f"{lacking} of {len(mine)} runs are not there" if lacking else None
            content = reference(claim, groups, why)
        except Exception as error:  # a file of a run may hold anything; the runs of other claims go on
            reason = f"{type(error).__name__}: {error}"
            self.errors.append(f"claim {claim.name} cannot be judged ({reason})")
            screen.line(self.errors[-1])
            return
        path = reference_path(self.references, claim)
        write_json(path, content)
        self.content[claim.name] = content
        screen.line(f"claim {claim.name}: {content['verdict']}; {path}")

    def _show(self) -> None:
        """Claims, and below each what its criteria came to."""
        words = {True: "yes", False: "NO", None: "–"}
        for claim in self.claims:
            if (content := self.content.get(claim.name)) is None:
                continue
            print(f"\n{printable(f'{claim.name} · {claim.title}')}: {content['verdict']}")
            for one in content["criteria"]:
                expected = f" (expected: {one['expected']})" if one["expected"] else ""
                why = f": {one['why']}" if "why" in one else ""
                print(printable(f"  {words[one['holds']]:<4} {one['text']}: {one['measured']}{expected}{why}"))

    def _complain(self) -> None:
        for name, why in self.failed.items():
            print(printable(f"failed: {name}: {why}"), file=sys.stderr)
        if self.failed or self.errors:
            count = f"{len(self.failed)} of {len(self.runs)} runs failed" if self.failed else self.errors[0]
            raise RunError(f"{count}; the same command tries again")
        if self.left_out and not self.content:
            raise InputError("; ".join(f"claim {name}: {why}" for name, why in self.left_out.items()))


def show_page(outputs: Path) -> None:
    """Writes the page of all that lies in `outputs`."""
    subprocess.run([sys.executable, "-m", "seqlab.report", f"outputs={outputs}"], check=False)
