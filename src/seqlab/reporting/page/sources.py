"""Where the page's material comes from: committed references, and what the user has under `outputs/`."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from tqdm import tqdm

from hydra_pruning_sweeper.messages import printable
from seqlab.errors import InputError
from seqlab.folders import RESULT, RUN_PLACES
from seqlab.natural_order import natural_path
from seqlab.reporting.page.groups import RunGroup, in_reading_order, with_distinguishing_settings
from seqlab.reporting.page.judging import EXACT
from seqlab.reproduction.claim import ASIDE, ORDER, USUAL_PROFILE
from seqlab.reproduction.reference_files import read_reference
from seqlab.runs.json_checks import Schema, read_json
from seqlab.runs.result import RunResult
from seqlab.runs.schemas import SWEEP, Digest, replay
from seqlab.runs.seed_groups import compared_overrides, seed_groups

REFERENCE = "reference"  # of `outputs/`: committed files, one per claim, and one per search in sweeps/
REPLAY = "replay/replay.json"  # in it: ways of searching on recorded learning curves
CLAIMS = "reproduce"  # how the folders begin that hold runs of claims

Content = TypeVar("Content")


@dataclass(frozen=True)
class Material:
    """All that the page shows.

    Args:
        claims: one reference per claim.
        groups: runs grouped by setting, the user's first; those of one dataset are together.
        sweeps: one digest per sweep.
        unread: one line per folder that could not be read, with the reason.
        replay: ways of searching on recorded curves, if they were compared.
    """

    claims: list[dict[str, Any]] = field(default_factory=list)
    groups: list[RunGroup] = field(default_factory=list)
    sweeps: list[dict[str, Any]] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    replay: dict[str, Any] | None = None

    def group(self, claim: str, label: str) -> RunGroup | None:
        """The group of a claim with this label: the reference's before the user's, the usual profile last."""
        groups = [one for one in self.groups if (one.claim, one.label) == (claim, label)]
        return min(groups, key=lambda one: (one.is_users, one.profile == USUAL_PROFILE), default=None)

    def significance(self, a: RunGroup, b: RunGroup, metric: str) -> dict[str, Any] | None:
        """The result of a paired test of two groups, b's figure minus a's.

        It is the one in the reference of their claim, or computed now if the runs are here. None if it cannot be
        computed: digests hold the statistics of BLEU for the first reference only, so with several references a test
        would be of another figure.
        """
        if metric != EXACT and not (a.all_references and b.all_references):
            return None
        for test in self._of_references(a, b):
            if test["metric"] == metric:
                if test["a"] == a.label:
                    return dict(test)
                return {**test, "a": a.label, "b": b.label, **_turned(test)}
        if not (a.live and b.live) or len({run.get("test_set") for run in [*a.runs, *b.runs]}) > 1:
            return None
        from seqlab.runs.significance import METRICS, significance

        try:
            return significance(a.runs, b.runs, metric) if metric in METRICS else None
        except (ArithmeticError, InputError, ValueError):  # statistics that are not as many as the examples
            return None

    def _of_references(self, a: RunGroup, b: RunGroup) -> Iterator[dict[str, Any]]:
        for claim in self.claims:
            if not (a.is_users or b.is_users) and a.is_of(claim) and b.is_of(claim):
                yield from (one for one in claim.get("significance", []) if {one["a"], one["b"]} == {a.label, b.label})


def gather(
    outputs: Path,
    runs: Sequence[Path] | None,
    digest: Callable[[Path], Digest],
    digest_sweep: Callable[[Path], dict[str, Any]],
) -> Material:
    """Reads everything.

    Args:
        outputs: the folder with `reference/` and runs.
        runs: folders that hold runs; None for those of `outputs`.
        digest, digest_sweep: make the digest of a run's folder and of a sweep's.

    Raises:
        InputError: there is nothing to report, or a folder among `runs` holds no run.
    """
    unread: list[str] = []
    claims = _read_all((outputs / REFERENCE).glob("*.json"), read_reference, unread)
    claims.sort(key=lambda one: ORDER.find(one["claim"][:1]))
    kept = _read_all((outputs / REFERENCE / "sweeps").glob("*.json"), _of_schema(SWEEP), unread)
    sweeps = {one["study"]: one | {"is_users": False} for one in kept}
    folders = [*_claim_run_folders(outputs), *_folders(outputs)] if runs is None else list(_named(runs))
    digests = []
    for folder in tqdm(folders, "reading runs", unit="run", delay=2, disable=None, leave=False):
        if (run := _read_or_note(digest, folder, unread)) is not None:
            digests.append((folder, run))
    for path in sorted(outputs.glob("sweeps/*/sweep.json")):
        if (sweep := _read_or_note(digest_sweep, path.parent, unread)) is None:
            continue
        if sweeps.get(sweep["study"], {}).get("is_users"):
            unread.append(printable(f"{path.parent}: another sweep here has the same study, {sweep['study']}"))
            continue
        sweeps[sweep["study"]] = sweep | {"is_users": True}
    replays = _read_all([outputs / REFERENCE / REPLAY], _of_schema(replay), unread)
    if not (claims or digests or sweeps):
        raise InputError(
            f"{unread[0]}, and there is nothing else to report"
            if unread
            else f"{outputs}: nothing to report yet; run `make reproduce` (all claims), `make reproduce-T` (seconds)"
            " or `make train` first"
        )
    groups = _with_references_merged(list(_of_claims(claims)), list(_of_runs(digests, outputs)))
    groups = in_reading_order(with_distinguishing_settings(groups))
    shown = sorted((one for one in sweeps.values() if one["trials"]), key=lambda one: not one.get("is_users"))
    return Material(claims, groups, shown, unread, next(iter(replays), None))


def _read_or_note(read: Callable[[Path], Content], folder: Path, unread: list[str]) -> Content | None:
    """What `read` returns for a folder; None if it cannot be read, and then a line is added to `unread`."""
    try:
        return read(folder)
    except InputError as problem:
        reason = str(problem)
    except Exception as problem:  # one odd file of anybody's must not keep the others from the page
        reason = f"{type(problem).__name__} {problem}".strip()
    reason = " ".join(reason.split())
    unread.append(printable(reason if str(folder) in reason else f"{folder}: {reason}"))
    return None


def _read_all(paths: Iterable[Path], read: Callable[[Path], Content], unread: list[str]) -> list[Content]:
    """The content of the files among `paths` that exist and can be read, ordered by name."""
    some = [_read_or_note(read, path, unread) for path in sorted(paths) if path.exists()]
    return [one for one in some if one is not None]


def _of_schema(schema: Schema) -> Callable[[Path], dict[str, Any]]:
    return lambda path: dict(read_json(path, schema))


def _turned(test: dict[str, Any]) -> dict[str, Any]:
    """The difference and its interval with a and b exchanged."""
    turned = {"difference": -test["difference"]}
    return turned | ({"interval": [-one for one in reversed(test["interval"])]} if "interval" in test else {})


def _claim_run_folders(outputs: Path) -> Iterator[Path]:
    """Folders of the runs of claims, claim/label/seed, without those that were replaced; each profile but the usual one
    has a folder of its own.
    """
    for folder in sorted(outputs.glob(f"{CLAIMS}*")):
        if not folder.name.endswith(ASIDE):
            yield from _finished(folder)


def _folders(outputs: Path) -> Iterator[Path]:
    for name in RUN_PLACES:
        yield from _finished(outputs / name)


def _named(folders: Sequence[Path]) -> Iterator[Path]:
    for folder in folders:
        if not (runs := _finished(folder)):
            raise InputError(f"runs: {folder} holds no finished run ({RESULT})")
        yield from runs


def _finished(folder: Path) -> list[Path]:
    """Folders of finished runs, in natural order."""
    runs = [path.parent for path in folder.rglob(RESULT)]
    return sorted(runs, key=natural_path)


def _of_claims(claims: Sequence[dict[str, Any]]) -> Iterator[RunGroup]:
    for claim in claims:
        for group in claim["groups"]:
            if group["runs"]:
                name, label, profile = claim["claim"], group["label"], claim["profile"]
                yield RunGroup(
                    id=_slug("run", name, label, "" if profile == USUAL_PROFILE else profile),
                    claim=name,
                    label=label,
                    title=group.get("title") or label,
                    live=False,
                    is_users=False,
                    command=group["command"],
                    runs=group["runs"],
                    profile=profile,
                    search=group.get("search"),
                )


def _of_runs(digests: Sequence[tuple[Path, Digest]], outputs: Path) -> Iterator[RunGroup]:
    """Groups of the runs of one label of a claim, or of one command line, that differ in their seed alone."""
    groups = seed_groups(digests, lambda one: _group_key(*one, outputs), lambda one: RunResult.of(one[1]))
    for number, ((claim, label, profile, *_), members) in enumerate(groups):
        members.sort(key=lambda one: one[1]["seed"])
        runs = [run for _, run in members]
        yield RunGroup(
            id=_slug("own", claim, label, "" if profile == USUAL_PROFILE else profile, str(number)),
            claim=claim,
            label=label,
            title=label,
            live=True,
            is_users=True,
            command=_of_all_seeds(runs),
            runs=runs,
            profile=profile,
            folders=tuple(folder for folder, _ in members),
            ended=max(_ended(folder) for folder, _ in members),
        )


def _ended(folder: Path) -> float:
    """When a run wrote its result, in seconds; 0 if its file is gone."""
    try:
        return (folder / RESULT).stat().st_mtime
    except OSError:
        return 0.0


def _group_key(folder: Path, digest: Digest, outputs: Path) -> tuple[str, ...]:
    """Claim, label and profile of a run in the folder of a claim; of another run its name, and its overrides but the
    seed.
    """
    place, *parts = folder.relative_to(outputs).parts if folder.is_relative_to(outputs) else folder.parts
    if place.startswith(CLAIMS) and len(parts) == 3:
        return parts[0], parts[1], place.removeprefix(CLAIMS).lstrip("_") or USUAL_PROFILE
    overrides = json.dumps(compared_overrides(digest.get("overrides", {})), sort_keys=True)
    return "", digest["name"], USUAL_PROFILE, overrides


def _of_all_seeds(runs: Sequence[Digest]) -> str:
    """The command of the only run, or of a multirun over all seeds."""
    command = str(runs[0]["command"])
    seeds = ",".join(map(str, sorted({run["seed"] for run in runs})))
    if "," not in seeds or not re.search(r"\bseed=\d+", command):
        return command
    several = re.sub(r"\bseed=\d+", f"seed={seeds}", command)
    return several if " -m " in several else several.replace("seqlab-train", "seqlab-train -m", 1)


def _with_references_merged(references: list[RunGroup], others: list[RunGroup]) -> list[RunGroup]:
    """A reference and the runs that it was made from become one group, with the title of the reference and the samples
    of the runs. These may be of several codes, which `any_code=true` asks for; other groups are of one each.
    """
    groups, left = [], list(others)
    for one in references:
        here = [other for other in left if other.claim and _claim_and_label(other) == _claim_and_label(one)]
        left = [other for other in left if other not in here]
        whole = next((other for other in here if _made_from(one, other)), None)
        parts = [part for other in here if other is not whole for part in _by_code(other)]
        same = whole or next((part for part in parts if _made_from(one, part)), None)
        groups.append(replace(one, live=True, runs=same.runs, folders=same.folders) if same else one)
        groups += [replace(part, title=one.title) for part in parts if part is not same]
    return [*groups, *(part for one in sorted(left, key=lambda one: not one.claim) for part in _by_code(one))]


def _by_code(group: RunGroup) -> Iterator[RunGroup]:
    """The runs of a group of the user's, apart by the code that made them."""
    parts: dict[str, list[tuple[Digest, Path]]] = {}
    for run, folder in zip(group.runs, group.folders, strict=True):
        environment = run.get("environment", {})
        parts.setdefault(str(environment.get("code") or environment.get("commit") or ""), []).append((run, folder))
    for number, members in enumerate(parts.values(), 1):
        runs, folders = [run for run, _ in members], tuple(folder for _, folder in members)
        yield replace(
            group,
            id=group.id if number == 1 else f"{group.id}-code{number}",
            command=_of_all_seeds(runs),
            runs=runs,
            folders=folders,
            ended=max(map(_ended, folders)),
        )


def _claim_and_label(group: RunGroup) -> tuple[str, str, str]:
    return group.claim, group.label, group.profile


def _made_from(reference: RunGroup, group: RunGroup) -> bool:
    """Whether the reference was made from these runs: the same seeds have the same figures (but for rounding)."""
    by_seed = {result.seed: result for result in group.results}
    return reference.seeds == group.seeds and all(
        _close(value, by_seed[result.seed].metric(split, name))
        for result in reference.results
        for split, values in result.metrics.items()
        for name, value in values.items()
        if value is not None
    )


def _close(value: float, other: float | None) -> bool:
    return other is not None and math.isclose(value, other, rel_tol=1e-3, abs_tol=1e-9)


def _slug(*parts: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "-", "-".join(part for part in parts if part)).strip("-")
