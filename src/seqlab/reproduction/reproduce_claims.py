"""Runs claims, judges their results, and keeps those as reference files."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hydra_pruning_sweeper.differences import listed
from hydra_pruning_sweeper.errors import UsageError
from hydra_pruning_sweeper.execution.slot_count import AUTO, MeasuredSlots, SlotCount
from hydra_pruning_sweeper.execution.slot_policy import SlotPolicy
from hydra_pruning_sweeper.execution.slots import available_cores, slot_threads, visible_gpus
from hydra_pruning_sweeper.messages import duration, plural, printable, wrapped
from seqlab.code_hash import code
from seqlab.config.settings import ReproduceSettings
from seqlab.errors import InputError, RunError, StoppedError
from seqlab.files import write_json
from seqlab.multiruns.pool import Pool, RunEnd, locked, slots_in_words
from seqlab.multiruns.pool_progress import PoolProgress
from seqlab.reproduction.claim import ASIDE, FOLDER, Claim, read_claims, with_profile
from seqlab.reproduction.criteria import Groups, Results
from seqlab.reproduction.expected_seconds import ReferenceEstimate, expected_seconds
from seqlab.reproduction.plan import (
    FINISHED,
    OTHER,
    RESUMABLE,
    Planned,
    PlannedRun,
    check,
    empty_folder_for,
    runs_of,
    state_of,
)
from seqlab.reproduction.probe_sentences import translate_probes
from seqlab.reproduction.reference import reference
from seqlab.reproduction.reference_files import reference_path
from seqlab.reproduction.search_outcome import SearchOutcome
from seqlab.reproduction.search_plan import (
    PlannedSearch,
    check_search,
    conclude,
    keep_plan,
    read_outcome,
    search_state,
    searches_of,
)
from seqlab.runs.run_digest import digest


def reproduce(settings: ReproduceSettings) -> None:
    """Runs the claims that the settings name, as far as they are not finished, and writes the result of each.

    Raises:
        InputError: there is no such claim, the arguments of a run do not compose, or all claims lack their data.
        RunError: a run failed, or a claim could not be judged; the others were still run and judged.
        StoppedError: there was an interrupt; the same command continues.
    """
    claims = read_claims(settings.claims, settings.profile, settings.ledger or FOLDER)
    # The runs of another profile than the usual one are in a folder beside it.
    folder = settings.folder.parent / with_profile(settings.folder.name, settings.profile, "{}_{}")
    with locked(folder) as lock:
        Reproduction(claims, folder, settings.references, settings.jobs, settings.any_code).run(lock, settings.run)


class Reproduction:
    """One call of `seqlab-reproduce`.

    Args:
        claims: what is run and judged.
        folder: the folder of their runs.
        references: the folder of the reference files.
        jobs: how many runs at a time; None: one per GPU, or without GPUs one per core; "auto": see `SlotPolicy`.
        any_code: see `plan.state_of`.
    """

    def __init__(
        self, claims: Sequence[Claim], folder: Path, references: Path, jobs: int | str | None, any_code: bool
    ) -> None:
        self.claims, self.folder, self.references = claims, folder, references
        self.code, self.any_code = code(), any_code
        self.gpus = visible_gpus()
        self.slots, self.threads = self._slots(jobs, sum(len(group.seeds) for one in claims for group in one.groups))
        self.runs = runs_of(claims, folder)
        self.searches = searches_of(claims, folder, self.threads)
        for run in self.runs:
            check(run)
        for search in self.searches:
            check_search(search)
        self.states = {one.name: search_state(one, self.code, any_code) for one in self.searches}
        self.finished = {name for name, (state, _) in self.states.items() if state == FINISHED}
        self.outcomes: dict[str, SearchOutcome] = {}  # by the name of the search
        for search in self.searches:
            if search.name in self.finished and (outcome := read_outcome(search)) is not None:
                self._complete(search, outcome)
        for run in self.runs:
            self._look_at(run)
        self.expected = expected_seconds(claims, [*self.runs, *self.searches], references)
        self.todo: list[Planned] = []
        self.missing: dict[str, str] = {}  # claim → the data that it lacks
        self.failed: dict[str, str] = {}  # run → why
        self.content: dict[str, dict[str, Any]] = {}  # claim → its reference
        self.errors: list[str] = []  # of claims that could not be judged

    def _slots(self, jobs: int | str | None, most: int) -> tuple[SlotCount, int]:
        """How many run at a time, of at most `most`, and the threads of each."""
        if jobs == AUTO:
            return MeasuredSlots(SlotPolicy(available_cores(), len(self.gpus), most), "run"), 1
        slots = int(jobs or len(self.gpus) or available_cores())
        return SlotCount(slots), slot_threads(slots) if self.gpus else 1

    def _complete(self, search: PlannedSearch, outcome: SearchOutcome) -> list[PlannedRun]:
        """Completes the runs of a group with what its search chose; returns them."""
        self.outcomes[search.name] = outcome
        group = replace(search.group, chosen=tuple(outcome.chosen))
        waiting = [run for run in self.runs if self._search_of(run) is search]
        completed = {run.name: replace(run, group=group) for run in waiting}
        self.runs = [completed.get(run.name, run) for run in self.runs]
        return list(completed.values())

    def _search_of(self, run: Planned) -> PlannedSearch | None:
        """The search before a run, if there is one."""
        return next((one for one in self.searches if one.name == f"{run.claim.name}/{run.group.label}/search"), None)

    def _look_at(self, run: PlannedRun) -> None:
        """Notes the state of a run."""
        self.states[run.name] = state_of(run, self.code, self.any_code)
        if self.states[run.name][0] == FINISHED:
            self.finished.add(run.name)

    def run(self, lock: int, train: bool) -> None:
        """Runs what is not finished, judges the claims, and writes and prints their results.

        Args:
            lock: the file descriptor of the folder's lock.
            train: False: runs nothing, and judges the runs that are finished.
        """
        if train:
            self.todo = self._with_data([one for one in (*self.searches, *self.runs) if one.name not in self.finished])
        self.todo.sort(key=self._turn)
        self._announce()
        estimate = ReferenceEstimate(self.expected)
        progress = PoolProgress([run.name for run in self.todo], len(self.finished), self.slots.allowed, estimate)
        for claim in self.claims:
            self._judge(claim, progress)
        if not self._run_all(lock, progress):
            raise StoppedError("what ran is saved, and the same command goes on")
        self._print_results()
        show_page(self.references.parent)
        self._report_failures()

    def _turn(self, one: Planned) -> tuple[int, float]:
        """Where something comes in the order of what is run: the lowest first.

        Searches first, as runs wait for them. Then one seed of every group before the second of any, so that a
        comparison that is interrupted has figures of all; and the longest first, so that no core is idle at the end.
        """
        place = one.group.seeds.index(one.seed) if isinstance(one, PlannedRun) else -1
        return place, -self.expected.get(one.name, 0.0)

    def _run_all(self, lock: int, progress: PoolProgress) -> bool:
        """Runs all of `todo`; returns False after an interrupt."""
        pool: Pool[Planned] = Pool(self.slots, self.threads, self.gpus, lock)
        ready = [one for one in self.todo if isinstance(one, PlannedSearch) or one.group.is_ready]

        def begin(run: Planned) -> bool:
            state, different = self.states[run.name]
            if state == RESUMABLE:
                return True
            if moved := empty_folder_for(run, self.folder.with_name(self.folder.name + ASIDE), self.code):
                progress.line(
                    f"{run.name:<20} its folder had a run of other settings or code ({listed(different)}), now {moved}"
                )
            if isinstance(run, PlannedSearch):
                keep_plan(run, self.code)
            return False

        def on_end(end: RunEnd[Planned]) -> None:
            if isinstance(end.run, PlannedSearch):
                end = self._search_ended(end, ready, progress)
            progress.ended(end)
            if end.error is None:
                self.finished.add(end.run.name)
            else:
                self.failed[end.run.name] = f"{end.error} ({end.run.log})"
            self._judge(end.run.claim, progress)

        return pool.run(ready, begin, on_end, progress)

    def _search_ended(self, end: RunEnd[Planned], ready: list[Planned], progress: PoolProgress) -> RunEnd[Planned]:
        """Reads what came of a search, and adds the runs that waited for it to those that are ready."""
        assert isinstance(end.run, PlannedSearch)
        waiting = [run for run in self.runs if self._search_of(run) is end.run]
        try:
            if end.error is None:
                for run in self._complete(end.run, conclude(end.run)):
                    self._look_at(run)
                    if run.name in self.finished:
                        progress.known(run.name)
                    else:
                        ready.append(run)
                ready.sort(key=self._turn)
                return end
            reason = end.error
        except (InputError, UsageError) as error:
            reason = str(error)
        for run in waiting:
            self.failed[run.name] = "its search failed"
            progress.known(run.name)
        return replace(end, error=reason)

    def _with_data(self, runs: Sequence[Planned]) -> list[Planned]:
        """Those of `runs` whose claim has its data; prints which claims do not."""
        for claim in self.claims:
            needed = any(run.claim.name == claim.name for run in runs)
            if needed and (missing := claim.missing()):
                self.missing[claim.name] = "; ".join(f"{one.resolved()} is not there: {one.get}" for one in missing)
                why = self.missing[claim.name]
                print(wrapped(printable(f"claim {claim.full_name} is left out: {why}"), indent=2), flush=True)
        return [run for run in runs if run.claim.name not in self.missing]

    def _announce(self) -> None:
        for claim in self.claims:
            print(printable(f"claim {claim.full_name}: {_planned(claim)}"), flush=True)
        resumed = sum(self.states[run.name][0] == RESUMABLE for run in self.todo)
        parts = [f"{'searches and runs' if self.searches else 'runs'}: {len(self.finished) or 'none'} finished"]
        parts += [f"{resumed} to resume"] if resumed else []
        parts += [f"{len(self.todo) - resumed} to start"]
        if other := sum(self.states[run.name][0] == OTHER for run in self.todo):
            parts[-1] += f" ({other} were run with other settings or code)"
        if self.expected and self.todo:
            seconds = [self.expected[run.name] for run in self.todo]
            parts.append(f"about {duration(max(max(seconds), sum(seconds) / self.slots.allowed()))}")
        slots = slots_in_words(self.slots, self.threads, self.gpus)
        print(wrapped(f"{', '.join(parts)}; {slots}", indent=2), flush=True)

    def _judge(self, claim: Claim, progress: PoolProgress) -> None:
        """Judges a claim once the last of its runs has ended, if any of them is finished."""
        runs = [run for run in self.runs if run.claim.name == claim.name]
        finished = [run for run in runs if run.name in self.finished]
        ahead = {run.name for run in self.todo if run.claim.name == claim.name} - self.finished - self.failed.keys()
        if ahead or not finished:
            return
        lacking = len(runs) - len(finished)
        why_missing = f"{lacking} of {len(runs)} runs are not there" if lacking else None
        try:
            content = reference(claim, self._results(claim, finished), why_missing)
        except Exception as error:  # a file of a run may hold anything; the other claims are still run and judged
            reason = f"{type(error).__name__}: {error}"
            self.errors.append(f"claim {claim.full_name} cannot be judged ({reason})")
            progress.line(self.errors[-1])
            return
        path = reference_path(self.references, claim)
        write_json(path, content)
        self.content[claim.name] = content
        progress.line(f"claim {claim.full_name}: {content['verdict']}; {path}")

    def _results(self, claim: Claim, finished: Sequence[PlannedRun]) -> Groups:
        """The finished runs of a claim by the label of their group."""
        groups = {}
        for group in claim.groups:
            folders = [run.folder for run in finished if run.group.label == group.label]
            probe_outputs = [translate_probes(folder, claim.say) for folder in folders] if claim.say else []
            outcome = self.outcomes.get(f"{claim.name}/{group.label}/search")
            groups[group.label] = Results([digest(one) for one in folders], len(group.seeds), probe_outputs, outcome)
        return groups

    def _print_results(self) -> None:
        """Prints the verdict of each claim, and below it what was measured for each criterion."""
        words = {True: "yes", False: "NO", None: "–"}
        for claim in self.claims:
            if (content := self.content.get(claim.name)) is None:
                continue
            print()
            print(wrapped(f"{printable(f'{claim.name} · {claim.title}')}: {content['verdict']}", indent=2))
            for one in content["criteria"]:
                expected = f" (expected: {one['expected']})" if one["expected"] else ""
                why = f": {one['why']}" if "why" in one else ""
                line = f"  {words[one['holds']]:<4} {one['text']}: {one['measured']}{expected}{why}"
                print(wrapped(printable(line), indent=7))

    def _report_failures(self) -> None:
        """Prints which runs failed.

        Raises:
            RunError: some did, or a claim could not be judged.
            InputError: nothing could be judged, since data are missing.
        """
        for name, why in self.failed.items():
            print(wrapped(printable(f"failed: {name}: {why}"), indent=2), file=sys.stderr)
        if self.failed or self.errors:
            planned = len(self.runs) + len(self.searches)
            reason = f"{len(self.failed)} of {planned} runs failed" if self.failed else self.errors[0]
            raise RunError(f"{reason}; the same command tries again")
        if self.missing and not self.content:
            lacking = [claim for claim in self.claims if claim.name in self.missing]
            raise InputError("; ".join(f"claim {claim.full_name}: {self.missing[claim.name]}" for claim in lacking))


def _planned(claim: Claim) -> str:
    """What is to be run for a claim, in words."""
    runs, searches = sum(len(group.seeds) for group in claim.groups), sum(bool(group.search) for group in claim.groups)
    if claim.profile not in claim.profiles:
        return f"left out, there is no {claim.profile} profile of it (profile={claim.profiles[0]} runs it)"
    if not runs:
        return "its parts follow"
    return (f"{searches} search{'es' if searches > 1 else ''}, " if searches else "") + plural(runs, "run")


def show_page(outputs: Path) -> None:
    """Writes the page of all results in `outputs`."""
    subprocess.run([sys.executable, "-m", "seqlab.report", f"outputs={outputs}"], check=False)
