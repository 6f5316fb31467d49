"""The files that summarise a sweep: best.yaml, or one file per Pareto trial, trials.csv, summary.md."""

from __future__ import annotations

import csv
import io
import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf
from optuna.trial import FrozenTrial, TrialState

from hydra_pruning_sweeper.atomic_files import write_atomically
from hydra_pruning_sweeper.errors import UsageError
from hydra_pruning_sweeper.messages import plural, printable
from hydra_pruning_sweeper.objectives import directions_of, sign_of
from hydra_pruning_sweeper.quoting import quoted
from hydra_pruning_sweeper.study.pausing import is_paused, pauses_of, promoted_after
from hydra_pruning_sweeper.study.record import SweepRecord
from hydra_pruning_sweeper.study.rules import RETRY_OF
from hydra_pruning_sweeper.study.shared_study import ERROR
from hydra_pruning_sweeper.study.trial_command import TrialCommand, command_of
from hydra_pruning_sweeper.text_table import TextTable
from hydra_pruning_sweeper.trial.attached_trial import NOTE
from hydra_pruning_sweeper.trial.events import log_of
from hydra_pruning_sweeper.views.recorded_sweep import RecordedSweep, formatted, shown_values

BEST = "best.yaml"
PLAIN = re.compile(r"[\w/.:+-]+")  # text that Hydra reads without quotes
LATEST = 253_000_000_000  # seconds since the epoch that have a date
PARETO = "pareto"  # folder with a file per Pareto trial, of several objectives
FILES = (BEST, PARETO, "trials.csv", "summary.md", "plots")
"""What a sweep's folder contains besides its record and its trials."""


def check_no_links(folder: Path) -> None:
    """Checks that none of a sweep's files is a link to another file.

    Raises:
        UsageError: one is a symbolic link, through which another file might be overwritten.
    """
    for name in FILES:
        if (folder / name).is_symlink():
            raise UsageError(f"{folder / name}: a symbolic link, which is not written through")


def write_summary(sweep: RecordedSweep, notes: Sequence[str] = ()) -> dict[int, str]:
    """Writes the files; returns the command that runs the best trial's configuration, by its number: with several
    objectives one per Pareto trial. Empty if no trial is complete.

    Args:
        sweep: the sweep.
        notes: sentences to add to the summary.

    Raises:
        UsageError: a file is a symbolic link, or the command line of the best trial is not known.
    """
    check_no_links(sweep.folder)
    lines, written = {}, []
    for one in sweep.best_trials():
        path = sweep.folder / (f"{PARETO}/trial_{one.number}.yaml" if sweep.has_several_objectives else BEST)
        text, lines[one.number] = best_config(sweep, one, path)
        path.parent.mkdir(exist_ok=True)
        write_atomically(path, text)
        written.append(path)
    for path in (sweep.folder / PARETO).glob("trial_*.yaml"):
        if path not in written:  # dominated meanwhile
            path.unlink(missing_ok=True)
    write_atomically(sweep.folder / "trials.csv", trials_csv(sweep))
    write_atomically(sweep.folder / "summary.md", summary(sweep, lines, notes))
    return lines


def how_to_run(sweep: RecordedSweep, lines: Mapping[int, str]) -> list[str]:
    """The commands that `write_summary` gave, each with what it runs, to be printed."""
    if not sweep.has_several_objectives:
        return [f"run it with {line}" for line in lines.values()]
    values = {one.number: printable(sweep.in_words(one.values)) for one in sweep.best_trials()}
    return [f"trial {number} ({values.get(number, '')}): run it with {line}" for number, line in lines.items()]


def best_config(sweep: RecordedSweep, best: FrozenTrial, path: Path) -> tuple[str, str]:
    """A trial as a primary configuration in YAML, and the command that runs it once that is kept at `path`.

    Raises:
        UsageError: the trial's command line is not known.
    """
    record, trial = sweep.record, command_of(best.user_attrs)
    if trial is None:
        raise UsageError(
            f"{sweep.folder}: trial {best.number} does not say how it was run (begun by an older version?)"
        )
    defaults: list[Any] = [trial.config_name] if trial.config_name else []
    values = OmegaConf.create({})
    deletions: list[str] = []
    for override in OverridesParser.create().parse_overrides([*trial.fixed, *trial.own]):
        key = override.get_key_element().lstrip("+~")
        if override.is_delete():
            deletions.append(str(override.input_line))
        elif key in trial.groups:
            defaults.append({key if override.is_add() else f"override {key}": override.value()})
        else:
            OmegaConf.update(values, key, override.value(), force_add=True)
    if trial.mode:
        OmegaConf.update(values, "hydra.mode", trial.mode, force_add=True)
    content = OmegaConf.to_yaml(OmegaConf.create({"defaults": [*defaults, "_self_"]})) + OmegaConf.to_yaml(values)
    flags = [f"--config-dir={path.parent}", f"--config-name={path.stem}", *_search_path(trial)]
    line = printable(shlex.join([*_program(record), *flags, *deletions]))
    reached = zip(sweep.objectives, best.values, strict=True)
    with_values = " and ".join(f"{name} {value}" for name, value in reached)
    about = printable(f"Trial {best.number} of study {record.study}, with {with_values}. To run it:")
    head = f"# {about}\n# {line}\n"
    return head + content.replace("{}\n", ""), line


def _program(record: SweepRecord) -> list[str]:
    path = Path(record.program)
    if path.suffix != ".py":
        return [path.name]
    return [Path(sys.executable).name, record.program]


def _search_path(line: TrialCommand) -> list[str]:
    """The override with the trial's folders of configurations: Hydra's flag for one names that of `best.yaml`."""
    folders = [flag.partition("=")[2] for flag in line.flags if flag.startswith("--config-dir=")]
    path = [f"file://{Path(one).resolve()}" for one in folders]
    for override in OverridesParser.create().parse_overrides(list(line.hydra)):
        if override.key_or_group == "hydra.searchpath":
            path += [str(one) for one in override.value()]  # type: ignore[union-attr]
    listed = ",".join(one if PLAIN.fullmatch(one) else quoted(one) for one in path)
    return [f"hydra.searchpath=[{listed}]"] if path else []


def trials_csv(sweep: RecordedSweep) -> str:
    """A row per trial. `seconds` are those in a slot; of each pause there is the step, and when it began and ended.
    What trials have noted comes after their parameters.
    """
    names, trials = sweep.parameters(), sweep.trials()
    noted = list(dict.fromkeys(name for one in trials for name in one.user_attrs if name.startswith(NOTE)))
    pauses = ["paused after", "paused at", "promoted at"] if any(map(pauses_of, trials)) else []
    heads = [name.removeprefix(NOTE) for name in noted]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    others = {"trial", "state", "steps", "seconds", *names}
    objectives = [f"{name} (objective)" if name in others else name for name in sweep.objectives]
    facts = ["trial", "state", *objectives, "steps", "seconds"]
    writer.writerow([*facts, *names, *heads, *pauses, "retry of", "error"])
    for one in trials:
        state = "paused" if is_paused(one) else one.state.name.lower()
        spans = sweep.progress(one.number).spans
        seconds = round(sum(span.end - span.start for span in spans), 3) if spans else ""
        more = [*(_pauses(one) if pauses else ()), one.user_attrs.get(RETRY_OF, ""), one.user_attrs.get(ERROR, "")]
        values = [one.params.get(name, "") for name in names] + [one.user_attrs.get(name, "") for name in noted]
        reached = one.values or [""] * len(sweep.objectives)
        writer.writerow([one.number, state, *reached, one.last_step or 0, seconds, *values, *more])
    return text.getvalue()


def _pauses(trial: FrozenTrial) -> list[str]:
    """The steps of a trial's pauses, when they began, and when they ended, each joined by `;`."""
    pauses = pauses_of(trial)
    moments = ([one.paused for one in pauses], [one.promoted for one in pauses])
    return [";".join(str(one.step) for one in pauses), *(";".join(map(_moment, times)) for times in moments)]


def _moment(seconds: float | None) -> str:
    """A moment in local time; "" for None, and for what is no moment."""
    if seconds is None or not 0 < seconds < LATEST:
        return ""
    return datetime.fromtimestamp(seconds).isoformat(" ", "seconds")


def about_pauses(trials: Sequence[FrozenTrial]) -> str | None:
    """How many trials were paused and promoted; None if none ever was paused."""
    paused = [one for one in trials if pauses_of(one)]
    if not paused:
        return None
    promoted, waiting = sum(bool(promoted_after(one)) for one in paused), sum(map(is_paused, trials))
    was = "was" if len(paused) == 1 else "were"
    left = f"; {waiting} of them still {'is' if waiting == 1 else 'are'}" if waiting else ""
    return f"{plural(len(paused), 'trial')} {was} paused, {promoted} of them promoted{left}."


def summary(sweep: RecordedSweep, lines: Mapping[int, str], notes: Sequence[str]) -> str:
    """The sweep as a page of Markdown; `lines` run the best trials."""
    trials, record = sweep.trials(), sweep.record
    count = {state: sum(one.state == state for one in trials) for state in TrialState}
    steps, paused = sum(len(one.intermediate_values) for one in trials), sum(map(is_paused, trials))
    running = f"{count[TrialState.RUNNING] - paused} running{f', {paused} paused' if paused else ''}"
    parts = [
        f"# {printable(record.study)}",
        f"{plural(count[TrialState.COMPLETE], 'trial')} complete, {count[TrialState.PRUNED]} pruned,"
        f" {count[TrialState.FAIL]} failed, {running}, of {record.trials};"
        f" {plural(steps, 'validation')} in all.",
    ]
    if record.rungs:
        stopped = "Paused" if any(map(pauses_of, trials)) else "Pruned"
        parts[-1] += f" {stopped} after {', '.join(map(str, record.rungs))}."
    parts += [" ".join(notes)] if notes else []
    if lines and not sweep.has_several_objectives:
        parts.append(f"To run the best:\n\n    {next(iter(lines.values()))}")
    elif lines:
        parts += ["Pareto trials: each is better than any other trial in some objective, or as good in all."]
    parts.append(_best_trials(sweep).markdown().removesuffix("\n"))
    if lines and sweep.has_several_objectives:
        parts.append("To run one of them:\n\n" + "\n".join(f"    {line}" for line in lines.values()))
    failed = [one for one in trials if one.state == TrialState.FAIL]
    if failed:
        reasons = [
            f"- trial {one.number}: {printable(str(one.user_attrs.get(ERROR)))}{log_of(sweep.folder, one.number)}"
            for one in failed
        ]
        parts.append("Failed:\n\n" + "\n".join(reasons))
    if (sentence := about_pauses(trials)) is not None:
        parts += [_promotions(trials).markdown().removesuffix("\n"), sentence]
    return "\n\n".join(parts) + "\n"


def _promotions(trials: Sequence[FrozenTrial]) -> TextTable:
    """A table of all pauses, in the order in which they began."""
    table = TextTable(["trial", "paused after", "value there", "paused at", "promoted at"], "rrrll")
    pauses = [(pause, one) for one in trials for pause in pauses_of(one)]
    for pause, one in sorted(pauses, key=lambda both: both[0].paused):
        value = formatted(one.intermediate_values.get(pause.step, ""))
        table.add(str(one.number), str(pause.step), value, _moment(pause.paused), _moment(pause.promoted))
    return table


def _best_trials(sweep: RecordedSweep, most: int = 10) -> TextTable:
    """A table of the best trials, complete ones first; of several objectives, of all Pareto trials, ordered by the
    first objective.
    """
    sign = sign_of(directions_of(sweep.record.direction)[0])
    if sweep.has_several_objectives:
        best = sorted(sweep.best_trials(), key=lambda one: sign * one.values[0])
    else:
        done = [one for one in sweep.trials() if one.value is not None and one.state.is_finished()]
        best = sorted(done, key=lambda one: (one.state != TrialState.COMPLETE, sign * (one.value or 0.0)))[:most]
    names = sweep.parameters()
    heads = ["trial", *sweep.objectives, "steps", *names]
    table = TextTable(heads, "r" * len(heads))
    for one in best:
        label = f"{one.number}" + ("" if one.state == TrialState.COMPLETE else " (pruned)")
        values = [formatted(one.params.get(name, "")) for name in names]
        table.add(label, *shown_values(sweep, one), str(one.last_step), *values)
    return table
