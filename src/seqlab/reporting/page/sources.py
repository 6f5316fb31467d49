"""Where the page's material comes from: committed references, and what lies under `outputs/`."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from hydra_pruning_sweeper.messages import printable
from seqlab.errors import InputError
from seqlab.natural_order import natural
from seqlab.reporting.page.groups import EXACT, USUAL, Digest, RunGroup, told_apart
from seqlab.reproduction.claim import ORDER
from seqlab.runs.comparison import UNCOMPARED
from seqlab.runs.description import described
from seqlab.runs.reading import REFERENCE as CLAIM
from seqlab.runs.reading import SWEEP, Schema, read_json, replay

RESULT = "result.json"
REFERENCE = "reference"  # what is committed: a file a claim, and in sweeps/ one a search
REPLAY = "replay/replay.json"  # there: ways of searching on recorded learning curves
RUNS = ("runs", "multiruns")  # folders of `outputs/` that hold runs, beside those of claims
CLAIMS, ASIDE = "reproduce", "reproduce_aside"  # where those are, and what was there before with other settings


@dataclass(frozen=True)
class Material:
    """All that the page shows.

    Args:
        claims: a reference each.
        groups: runs of one setting together, of the claims first.
        sweeps: a digest each.
        unread: folders whose runs could not be read, and why.
        replay: ways of searching on recorded curves, if they were compared.
    """

    claims: list[dict[str, Any]] = field(default_factory=list)
    groups: list[RunGroup] = field(default_factory=list)
    sweeps: list[dict[str, Any]] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    replay: dict[str, Any] | None = None

    def group(self, claim: str, label: str) -> RunGroup | None:
        """The one of a claim: the reference's if there are two, and that which took most if there are several."""
        found = [one for one in self.groups if (one.claim, one.label) == (claim, label)]
        return min(found, key=lambda one: (one.own, one.profile == USUAL), default=None)

    def significance(self, a: RunGroup, b: RunGroup, metric: str) -> dict[str, Any] | None:
        """What a paired test of two groups came to, b's figure minus a's: as the reference of their claim has it, or
        tested now, of runs that are here; None where it cannot be tested: digests hold what a test of BLEU needs for
        the first reference alone, so that with several it would be of another figure.
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
            if not (a.own or b.own) and a.is_of(claim) and b.is_of(claim):
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
        runs: folders that hold runs; None: those of `outputs`.
        digest, digest_sweep: what to know of a run's folder, of a sweep's.

    Raises:
        InputError: nothing is there, or a folder that was named holds no run.
    """
    unread: list[str] = []
    claims = _read_all((outputs / REFERENCE).glob("*.json"), CLAIM, unread)
    claims.sort(key=lambda one: ORDER.find(one["claim"][:1]))
    kept = _read_all((outputs / REFERENCE / "sweeps").glob("*.json"), SWEEP, unread)
    sweeps = {one["study"]: one | {"own": False} for one in kept}
    folders = [*_claimed(outputs), *_folders(outputs)] if runs is None else list(_named(runs))
    digests = []
    for folder in tqdm(folders, "reading runs", unit="run", delay=2, disable=None, leave=False):
        if (found := _tried(digest, folder, unread)) is not None:
            digests.append((folder, found))
    for path in sorted(outputs.glob("sweeps/*/sweep.json")):
        if (found := _tried(digest_sweep, path.parent, unread)) is None:
            continue
        if sweeps.get(found["study"], {}).get("own"):
            unread.append(printable(f"{path.parent}: another sweep here has the same study, {found['study']}"))
            continue
        sweeps[found["study"]] = found | {"own": True}
    replays = _read_all([outputs / REFERENCE / REPLAY], replay, unread)
    if not (claims or digests or sweeps):
        raise InputError(
            f"{unread[0]}, and there is nothing else to report"
            if unread
            else f"{outputs}: nothing to report yet; run `make reproduce` (all claims), `make reproduce-T` (seconds)"
            " or `make train` first"
        )
    groups = told_apart(_joined(list(_of_claims(claims)), list(_of_runs(digests, outputs))))
    shown = sorted((one for one in sweeps.values() if one["trials"]), key=lambda one: not one.get("own"))
    return Material(claims, groups, shown, unread, next(iter(replays), None))


def _tried(read: Callable[[Path], dict[str, Any]], folder: Path, unread: list[str]) -> dict[str, Any] | None:
    """What is read of a folder; None of one that cannot be read, for which a line is added to `unread`."""
    try:
        return read(folder)
    except InputError as problem:
        reason = str(problem)
    except Exception as problem:  # the files are anybody's, and one of them must not keep the others from the page
        reason = f"{type(problem).__name__} {problem}".strip()
    reason = " ".join(reason.split())
    unread.append(printable(reason if str(folder) in reason else f"{folder}: {reason}"))
    return None


def _read_all(paths: Iterable[Path], schema: Schema, unread: list[str]) -> list[dict[str, Any]]:
    """The JSON files among `paths` that are there and of a schema, by name."""
    some = [_tried(lambda path: dict(read_json(path, schema)), path, unread) for path in sorted(paths) if path.exists()]
    return [one for one in some if one is not None]


def _turned(test: dict[str, Any]) -> dict[str, Any]:
    """A difference and its interval, seen from the other side."""
    turned = {"difference": -test["difference"]}
    return turned | ({"interval": [-one for one in reversed(test["interval"])]} if "interval" in test else {})


def _claimed(outputs: Path) -> Iterator[Path]:
    """Runs of claims: claim/label/seed, of the usual profile in one folder, of any other in one beside it."""
    for place in sorted(outputs.glob(f"{CLAIMS}*")):
        if place.name != ASIDE:
            yield from _finished(place)


def _folders(outputs: Path) -> Iterator[Path]:
    for name in RUNS:
        yield from _finished(outputs / name)


def _named(places: Sequence[Path]) -> Iterator[Path]:
    for place in places:
        if not (found := _finished(place)):
            raise InputError(f"runs: {place} holds no finished run ({RESULT})")
        yield from found


def _finished(place: Path) -> list[Path]:
    """Folders of finished runs, in a natural order."""
    found = [path.parent for path in place.rglob(RESULT)]
    return sorted(found, key=lambda path: [natural(part) for part in path.parts])


def _of_claims(claims: Sequence[dict[str, Any]]) -> Iterator[RunGroup]:
    for claim in claims:
        for group in claim["groups"]:
            if group["runs"]:
                name, label, profile = claim["claim"], group["label"], claim["profile"]
                yield RunGroup(
                    id=_slug("run", name, label, "" if profile == USUAL else profile),
                    claim=name,
                    label=label,
                    title=group.get("title") or label,
                    live=False,
                    own=False,
                    command=group["command"],
                    runs=group["runs"],
                    profile=profile,
                )


def _of_runs(digests: Sequence[tuple[Path, Digest]], outputs: Path) -> Iterator[RunGroup]:
    """Runs of one claim's label, or of one line, that differ in their seed alone, together."""
    found: dict[tuple[str, ...], list[tuple[Path, Digest]]] = {}
    for folder, digest in digests:
        found.setdefault(_key(folder, digest, outputs), []).append((folder, digest))
    for number, (key, some) in enumerate(found.items()):
        some.sort(key=lambda one: one[1]["seed"])
        runs = [run for _, run in some]
        claim, label, profile = key[:3]
        yield RunGroup(
            id=_slug("own", claim, label, "" if profile == USUAL else profile, str(number)),
            claim=claim,
            label=label,
            title=label,
            live=True,
            own=True,
            command=_of_all_seeds(runs),
            runs=runs,
            profile=profile,
            folders=tuple(folder for folder, _ in some),
        )


def _key(folder: Path, digest: Digest, outputs: Path) -> tuple[str, ...]:
    """Claim, label and profile where the folder says so; else the run's name, its code and what was typed but the
    seed. And what the run is of: data, model and settings.
    """
    place, *parts = folder.relative_to(outputs).parts if folder.is_relative_to(outputs) else folder.parts
    if place.startswith(CLAIMS) and len(parts) == 3:
        return parts[0], parts[1], place.removeprefix(CLAIMS).lstrip("_") or USUAL, described(digest)
    typed = {name: value for name, value in digest.get("overrides", {}).items() if name not in UNCOMPARED}
    environment = digest.get("environment", {})
    code = str(environment.get("code") or environment.get("commit") or "")
    return "", digest["name"], USUAL, described(digest), json.dumps(typed, sort_keys=True), code


def _of_all_seeds(runs: Sequence[Digest]) -> str:
    """The command of one run, or of a multirun over all seeds."""
    command = str(runs[0]["command"])
    seeds = ",".join(map(str, sorted({run["seed"] for run in runs})))
    if "," not in seeds or not re.search(r"\bseed=\d+", command):
        return command
    several = re.sub(r"\bseed=\d+", f"seed={seeds}", command)
    return several if " -m " in several else several.replace("seqlab-train", "seqlab-train -m", 1)


def _joined(references: list[RunGroup], found: list[RunGroup]) -> list[RunGroup]:
    """A reference and the runs that it was made from are one group: with the reference's title, and their samples."""
    groups, left = [], list(found)
    for one in references:
        made = [own for own in left if own.claim and (own.claim, own.label, own.profile) == _part(one)]
        left = [own for own in left if own not in made]
        same = next((own for own in made if _same(one, own)), None)
        groups.append(replace(one, live=True, runs=same.runs, folders=same.folders) if same else one)
        groups += [replace(own, title=one.title) for own in made if own is not same]
    return [*groups, *sorted(left, key=lambda one: not one.claim)]


def _part(group: RunGroup) -> tuple[str, str, str]:
    return group.claim, group.label, group.profile


def _same(reference: RunGroup, made: RunGroup) -> bool:
    """Whether the reference was made from these runs: the same figures (it may round) for the same seeds."""
    found = {run["seed"]: run.get("metrics", {}) for run in made.runs}
    return reference.seeds == made.seeds and all(
        math.isclose(value, _figure(found[run["seed"]], split, name), rel_tol=1e-3, abs_tol=1e-9)
        for run in reference.runs
        for split, values in run.get("metrics", {}).items()
        for name, value in values.items()
        if value is not None
    )


def _figure(metrics: dict[str, Any], split: str, name: str) -> float:
    value = metrics.get(split, {}).get(name)
    return math.nan if value is None else float(value)


def _slug(*parts: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "-", "-".join(part for part in parts if part)).strip("-")
