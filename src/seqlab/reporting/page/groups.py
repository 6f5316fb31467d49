"""What the page compares: runs of one setting that differ in their seed."""

from __future__ import annotations

import json
import math
import re
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from seqlab.identity import changes_on_resuming, fingerprint
from seqlab.metrics.registry import METRICS, PLAIN
from seqlab.metrics.registry import metric as entry
from seqlab.runs.spread import spread

Digest = dict[str, Any]

ARCHITECTURES = ("gru", "lstm", "context_gru", "bahdanau", "luong", "conv", "transformer", "gpt")
QUALITY = [one.key for one in reversed(METRICS) if one.judges]
"""What a split is judged by: the first that was measured."""
FORMS = {one.label: one.form for one in METRICS if one.form != PLAIN}
"""How sentences write figures, by label; three digits are enough of the others."""
USUAL = "cpu"  # the profile of claims that nothing is said of


@dataclass(frozen=True)
class Spread:
    """A figure over seeds."""

    mean: float
    sd: float
    count: int

    def __format__(self, form: str) -> str:
        mean = format(self.mean, form)
        return mean if self.count < 2 or not self.sd else f"{mean} ± {format(self.sd, form)}"


@dataclass(frozen=True)
class RunGroup:
    """Runs of one setting.

    Args:
        id: unique on the page.
        claim, label: which claim they belong to, and as what; "" of runs that somebody made otherwise.
        title: what they are, in words.
        live: their folders are at hand, and hold sentences and attention.
        own: the user's: made on this machine, and not what a committed reference was made from.
        command: the line that makes them.
        runs: a digest each.
        profile: of a claim: how much it was run with.
        folders: theirs, where they are at hand.
        apart: settings that set its data apart from others of one name.
    """

    id: str
    claim: str
    label: str
    title: str
    live: bool
    own: bool
    command: str
    runs: list[Digest]
    profile: str = USUAL
    folders: tuple[Path, ...] = ()
    apart: str = ""

    @property
    def architecture(self) -> str:
        """By its module's name, or, of what is not seqlab's own, by its class."""
        module, _, kind = str(self.setting("model", "_target_") or self.label).rpartition(".")
        if kind == "FixedVector" and (cell := self.setting("model", "cell")):
            return str(cell)
        return module.rpartition(".")[2] if module.startswith("seqlab.") else kind

    @property
    def dataset(self) -> str:
        """What the runs were trained on and measured by."""
        return f"{self._data} ({self.apart})" if self.apart else self._data

    @property
    def _data(self) -> str:
        """Without what differs between the runs of one claim (counts of tokens)."""
        data = str(self.runs[0].get("data", "?")).partition(";")[0]
        if notes := re.fullmatch(r"[\d,]+ documents? in (.*)", data):
            return f"Notes: {notes[1]}"
        if pairs := re.fullmatch(r"(\S+→\S+) of (.)(.*)", data):
            return f"{pairs[2].upper()}{pairs[3]} {pairs[1]}"
        return data[:1].upper() + data[1:]

    @property
    def examined(self) -> str | None:
        """Which examples were predicted; None of a language model, for which they depend on its tokens."""
        run = self.runs[0]
        return run.get("test_set") if "by_length" in run else None

    @property
    def measured_on(self) -> str | None:
        """Equal where groups were measured on the same text; None where the runs do not say. For language models it is
        derived from the settings of their data, as their predicted examples depend on their tokens.
        """
        if "test_set" not in self.runs[0] or self.examined:
            return self.examined
        data = self.setting("data") or {}
        return fingerprint({name: value for name, value in data.items() if name not in UNMEASURED})

    @property
    def all_references(self) -> bool:
        """Whether its outputs can be measured again as they were: by all references that there are."""
        return all(run.get("references") == "all" for run in self.runs)

    @property
    def has_words(self) -> bool:
        """Whether spaces separate the words of its targets, as far as the runs say by how their BLEU was measured."""
        signatures = [run.get("signatures", {}).get("bleu") for run in self.runs]
        return all(one is None or WORDS in one.split("|") for one in signatures)

    @property
    def seeds(self) -> list[int]:
        """All different ones: a run that was repeated is no other seed."""
        return sorted({run["seed"] for run in self.runs})

    def setting(self, *path: str) -> Any:
        """A setting of the first run; None where it has none."""
        return _inner(self.runs[0].get("settings", {}), path)

    @property
    def split(self) -> str:
        """The one whose figures are compared: test, or validation where nothing else was held out."""
        return "test" if all("test" in run.get("metrics", {}) for run in self.runs) else "val"

    @property
    def devices(self) -> set[tuple[Any, Any]]:
        """What they ran on: seconds compare on one machine only."""
        environments = [run.get("environment", {}) for run in self.runs]
        return {(one.get("device"), one.get("threads")) for one in environments}

    @property
    def commit(self) -> str:
        """Of the code that trained the first run; "" where it is not known."""
        return str(self.runs[0].get("environment", {}).get("commit") or "")

    @property
    def resumed(self) -> list[str]:
        """What runs went on with when they were resumed; see `changes_on_resuming`."""
        return list(dict.fromkeys(line for run in self.runs for line in changes_on_resuming(run.get("resumed") or [])))

    def is_of(self, claim: dict[str, Any]) -> bool:
        """Whether it is run for a claim, as that was run."""
        return (self.claim, self.profile) == (claim["claim"], claim["profile"])

    def figure(self, *path: str) -> Spread | None:
        """Mean and deviation over seeds of what stands there in each run's digest; None where it stands in none."""
        return spread_of(self.values(*path))

    def values(self, *path: str) -> list[float]:
        """What stands there in the digests, a value a seed."""
        return self.by_seed(lambda run: _inner(run, path))

    def by_seed(self, figure: Callable[[Digest], float | None]) -> list[float]:
        """A figure of each seed that has it; of runs of the same seed their mean."""
        return list(per_seed(self.runs, figure).values())

    def metric(self, name: str, split: str | None = None) -> Spread | None:
        """Of a metric: of the compared split, if none is named."""
        return self.figure("metrics", split or self.split, name)

    def seconds_a_step(self) -> Spread | None:
        """Training without validation."""
        return spread_of(self.by_seed(seconds_a_step))

    def leaks(self) -> Spread | None:
        """The share of validation sentences that stand in training, word for word: of the side that has more."""
        return spread_of(self.by_seed(_leaks))


def seconds_a_step(run: Digest) -> float | None:
    """Training without validation."""
    seconds, steps = run.get("training", {}).get("seconds"), run.get("steps")
    return seconds / steps if seconds and steps else None


def _leaks(run: Digest) -> float | None:
    sides = run.get("leakage", {}).get("val", {}).values()
    return max((side["copies"] for side in sides if side.get("copies") is not None), default=None)


def per_seed(runs: Sequence[Digest], figure: Callable[[Digest], float | None]) -> dict[int, float]:
    """Seed → a figure of its runs, of those that have a finite one."""
    found: dict[int, list[float]] = {}
    for run in runs:
        value = figure(run)
        if value is not None and math.isfinite(value):
            found.setdefault(run["seed"], []).append(float(value))
    return {seed: statistics.fmean(values) for seed, values in sorted(found.items())}


def _inner(content: Any, path: Sequence[str]) -> Any:
    for key in path:
        content = content.get(key) if isinstance(content, Mapping) else None
    return content


def spread_of(values: list[float]) -> Spread | None:
    """Of some values; None of none."""
    if not values:
        return None
    figures = spread(values)
    return Spread(figures["mean"], figures["sd"], len(values))


def named(groups: Sequence[RunGroup]) -> dict[str, str]:
    """Group's id → what it is called among `groups`: by architecture, if need be with label or settings and profile;
    those of the user are marked.
    """
    profiles = {one.profile for one in groups}
    names: dict[str, str] = {}
    for one in groups:
        alike = [other for other in groups if other.architecture == one.architecture]
        name = one.architecture
        if len(alike) > 1 and (what := _set_apart(one, alike)):
            name = what if what.startswith(name) else f"{name}, {what}"
        name += f", {one.profile}" if one.profile != USUAL and len(profiles) > 1 else ""
        name = f"{name} (yours)" if one.own else name
        taken = sum(other == name or other.startswith(f"{name} #") for other in names.values())
        names[one.id] = f"{name} #{taken + 1}" if taken else name
    return names


def _set_apart(one: RunGroup, alike: Sequence[RunGroup]) -> str:
    """What sets a group apart from others of its architecture: as which part of a claim it was run, or what was typed
    for it alone.
    """
    if one.claim:
        return "" if one.label == one.architecture else one.label
    typed = [other.runs[0].get("overrides", {}) for other in alike]
    own = one.runs[0].get("overrides", {})
    differing = [name for name in own if any(other.get(name) != own[name] for other in typed)]
    return ", ".join(f"{name}={own[name]}" for name in differing if name not in ("model", "seed", "resume"))


def colours(groups: Sequence[RunGroup]) -> dict[str, int]:
    """Group's id → number of its colour: an architecture has one of its own wherever it stands alone."""
    known = [ARCHITECTURES.index(one.architecture) if one.architecture in ARCHITECTURES else -1 for one in groups]
    if -1 in known or len(set(known)) < len(known):
        known = list(range(len(groups)))
    return {one.id: number % 8 for one, number in zip(groups, known, strict=True)}


def quality(groups: Sequence[RunGroup]) -> str | None:
    """The metric by which all of `groups` can be judged. A loss a token is none where their tokens differ, token BLEU
    none where a clause is one token.
    """
    unfit = {LOSS} if len({_tokens(one) for one in groups}) > 1 else set()
    unfit |= set() if all(one.has_words for one in groups) else {TOKEN_BLEU}
    names = [name for name in QUALITY if name not in unfit]
    return next((name for name in names if groups and all(one.metric(name) for one in groups)), None)


EXACT = "exact match"
LOSS, TOKEN_BLEU = "teacher_forced/loss", "free_running/token_bleu"
WORDS = "tok:13a"  # in sacrebleu's signature: its tokenizer for languages that separate words by spaces


def _tokens(group: RunGroup) -> str:
    """What tokens are, as far as the runs say."""
    recorded = _inner(group.runs[0], ("identity", "data", "vocabularies"))
    return fingerprint(recorded or group.setting("tokenizer") or group.setting("data", "tokenizer"))


def more_is_better(metric: str) -> bool:
    """False of losses."""
    return entry(metric).more_is_better


def is_share(metric: str) -> bool:
    """Whether a metric is 0 to 1."""
    return entry(metric).is_share


def label(metric: str) -> str:
    """What a metric is called."""
    return entry(metric).label


def form(metric: str) -> str:
    """How a metric is written."""
    return entry(metric).form


def told_apart(groups: Sequence[RunGroup]) -> list[RunGroup]:
    """Those whose data has one name but other examples to predict, with the settings that make the difference."""
    told = []
    for one in groups:
        others = [other for other in groups if other.dataset == one.dataset and other.examined and one.examined]
        settings = [_flat(other.setting("data")) for other in others]
        if len({other.examined for other in others}) < 2:
            told.append(one)
            continue
        own = _flat(one.setting("data"))
        differing = [name for name in own if any(other.get(name) != own[name] for other in settings)]
        shown = [f"{name}={own[name].rpartition('.')[2]}" for name in differing if own[name] and name not in LOADING]
        told.append(replace(one, apart=", ".join(shown[:3]) or one.label))
    return told


LOADING = ("batch_size", "batch_tokens", "pool", "eval_batch_size", "order_seed", "cache")
UNMEASURED = (*LOADING, "tokenizer", "fraction", "bpe_dropout", "planted")
"""Settings of the data of a language model that leave the text alone by which it is measured."""


def _flat(settings: Any, name: str = "") -> dict[str, str]:
    """Leaves by their last name."""
    if isinstance(settings, dict):
        return {key: value for part, own in settings.items() for key, value in _flat(own, part).items()}
    return {name: json.dumps(settings).strip('"')}


def comparable(groups: Sequence[RunGroup]) -> bool:
    """Whether all were measured on the same examples, as far as they say."""
    return len({one.measured_on for one in groups} - {None}) < 2


def by_dataset(groups: Sequence[RunGroup]) -> dict[str, list[RunGroup]]:
    """Those that compare with each other, together."""
    found: dict[str, list[RunGroup]] = {}
    for one in groups:
        found.setdefault(one.dataset, []).append(one)
    return found


def slug(text: str) -> str:
    """For an id: other texts have other ones."""
    plain = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    lost = re.search(r"[^a-z0-9→ _-]", text.lower())
    return f"{plain}-{fingerprint(text)}".strip("-") if lost else plain
