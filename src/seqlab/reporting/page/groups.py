"""What the page compares: groups of runs that differ in their seed alone."""

from __future__ import annotations

import functools
import json
import math
import re
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from seqlab.identity import changes_on_resuming, fingerprint
from seqlab.kinds import model_name
from seqlab.reproduction.claim import USUAL_PROFILE
from seqlab.runs.result import RunResult, compared_split
from seqlab.runs.run_figures import RunFigure, inner, metric_of
from seqlab.runs.schemas import Digest
from seqlab.runs.spread import Spread

LOADING = ("batch_size", "batch_tokens", "pool", "eval_batch_size", "order_seed", "cache")
UNMEASURED = (*LOADING, "tokenizer", "fraction", "bpe_dropout", "planted", "length", "stride", "context")
"""Settings of running text that do not change the text on which a model is evaluated."""
SHORT = 2  # words of a target up to which it is no sentence
WORDS = "tok:13a"  # in sacrebleu's signature: its tokenizer for languages that separate words by spaces


@dataclass(frozen=True)
class RunGroup:
    """Runs of one setting.

    Args:
        id: unique on the page.
        claim, label: the claim that the runs belong to, and their group in it; both "" for other runs.
        title: the group in words.
        live: the folders of the runs are there, and hold sentences and attention.
        is_users: whether the user made the runs on this machine, and no committed reference was made from them.
        command: the line that makes the runs.
        runs: one digest per run.
        profile: of a claim: how much it was run with.
        folders: the folders of the runs, if they are there.
        distinguishing: settings that set the data apart from other data of the same name.
        distinguished_by: the names of these settings.
        ended: when the last of the user's runs ended, in seconds; 0 for references.
        search: what the search before the runs of a claim cost (see `schemas.SEARCHED`); None if there was none.
    """

    id: str
    claim: str
    label: str
    title: str
    live: bool
    is_users: bool
    command: str
    runs: Sequence[Digest]
    profile: str = USUAL_PROFILE
    folders: tuple[Path, ...] = ()
    distinguishing: str = ""
    distinguished_by: tuple[str, ...] = ()
    ended: float = 0.0
    search: Mapping[str, Any] | None = None

    @functools.cached_property
    def results(self) -> list[RunResult]:
        """The results of the runs, as far as the digests hold them."""
        return [RunResult.of(run) for run in self.runs]

    @property
    def architecture(self) -> str:
        """The name of the model, or the group's label if the runs do not record the model."""
        model = {name: self.setting("model", name) for name in ("_target_", "cell")}
        return model_name(model) if model["_target_"] else self.label

    @property
    def dataset(self) -> str:
        """The data that the runs were trained and evaluated on."""
        return f"{self._data} ({self.distinguishing})" if self.distinguishing else self._data

    @property
    def _data(self) -> str:
        """The data in words, without what differs between the runs of one claim (counts of tokens)."""
        data = (self.results[0].data or "?").partition(";")[0]
        if notes := re.fullmatch(r"[\d,]+ documents? in (.*)", data):
            return f"Notes: {notes[1]}"
        if pairs := re.fullmatch(r"(\S+→\S+) of (.)(.*)", data):
            return f"{pairs[2].upper()}{pairs[3]} {pairs[1]}"
        return data[:1].upper() + data[1:]

    @property
    def examined(self) -> str | None:
        """A hash of the predicted examples; None for running text, where they depend on how it is cut into blocks."""
        run = self.runs[0]
        return run.get("test_set") if "by_length" in run and not self._is_running_text else None

    @property
    def _is_running_text(self) -> bool:
        return "stride" in (self.setting("data") or {})

    @property
    def measured_on(self) -> str | None:
        """Equal for groups that were evaluated on the same text; None if the runs do not record it.

        Of running text each token is predicted once, in whatever blocks. It is derived from the files and the settings
        of the data.
        """
        if "test_set" not in self.runs[0] or self.examined:
            return self.examined
        data = {name: value for name, value in (self.setting("data") or {}).items() if name not in UNMEASURED}
        return fingerprint({"files": inner(self.runs[0], ("identity", "data", "files")), **data})

    @property
    def tokens(self) -> str:
        """A hash of how text becomes tokens, as far as the runs record it."""
        recorded = inner(self.runs[0], ("identity", "data", "vocabularies"))
        return fingerprint(recorded or self.setting("tokenizer") or self.setting("data", "tokenizer"))

    @property
    def all_references(self) -> bool:
        """Whether the digests hold all references of each source, so that outputs can be scored again."""
        return all(run.get("references") == "all" for run in self.runs)

    @property
    def has_words(self) -> bool:
        """Whether spaces separate the words of the targets, as far as the signatures of BLEU record it."""
        signatures = [result.signatures.get("bleu") for result in self.results]
        return all(one is None or WORDS in one.split("|") for one in signatures)

    @property
    def has_sentences(self) -> bool:
        """Whether the targets are sentences, as far as the samples show it: mostly words, and more than two on average.

        Others are single words, dates or lists of numbers.
        """
        words = [sample["reference"].split() for sample in self.runs[0].get("samples", ())]
        count = sum(map(len, words))
        letters = sum(any(map(str.isalpha, word)) for one in words for word in one)
        return not self.has_words or not words or (count > SHORT * len(words) and 2 * letters > count)

    @property
    def seeds(self) -> list[int]:
        """All different seeds, in order."""
        return sorted({result.seed for result in self.results})

    def setting(self, *path: str) -> Any:
        """A setting of the first run; None if the run does not have it."""
        return inner(self.results[0].settings, path)

    @property
    def trained_to(self) -> int | None:
        """The longest source in training, in tokens; None unless the settings give it and test goes beyond."""
        longest, tested = self.setting("data", "max_length"), self.setting("data", "test_max_length")
        return longest if isinstance(longest, int) and isinstance(tested, int) and tested > longest > 0 else None

    @property
    def split(self) -> str:
        """The split whose figures are compared."""
        return compared_split(self.results)

    @property
    def devices(self) -> set[tuple[Any, Any]]:
        """Devices and threads of the runs."""
        return {(one.environment.get("device"), one.environment.get("threads")) for one in self.results}

    @property
    def machines(self) -> set[tuple[Any, ...]]:
        """Equal for groups whose times can be compared. Two machines may name one device, so that the runs of a claim
        are compared with each other alone.
        """
        return {(self.claim, self.profile, *device) for device in self.devices}

    @property
    def training_examples(self) -> int | None:
        """How many examples the runs trained on; None of running text, where blocks count, which may be of any size."""
        return None if self._is_running_text else self.results[0].examples.get("train")

    @property
    def commits(self) -> list[str]:
        """The commits of the code that trained the runs, as far as they are known."""
        return list(dict.fromkeys(str(commit) for one in self.results if (commit := one.environment.get("commit"))))

    @property
    def resumed(self) -> list[str]:
        """The changes with which runs were resumed; see `changes_on_resuming`."""
        return list(dict.fromkeys(line for one in self.results for line in changes_on_resuming(one.resumed)))

    @property
    def tuned(self) -> bool:
        """Whether a search chose settings of the runs."""
        return self.search is not None

    def is_of(self, claim: dict[str, Any]) -> bool:
        """Whether the runs belong to a claim and have its profile."""
        return (self.claim, self.profile) == (claim["claim"], claim["profile"])

    def figure(self, figure: RunFigure) -> Spread | None:
        """Mean and deviation of a figure over seeds; None if no run has it."""
        values = self.by_seed(figure)
        return Spread.of(values) if values else None

    def by_seed(self, figure: RunFigure) -> list[float]:
        """A figure of each seed that has it; the mean if a seed has several runs."""
        return list(per_seed(self.runs, figure).values())

    def metric(self, name: str, split: str | None = None) -> Spread | None:
        """Mean and deviation of a metric, of the compared split if no other is named."""
        return self.figure(metric_of(split or self.split, name))

    def metric_by_seed(self, name: str, split: str | None = None) -> list[float]:
        """A metric of each seed that has it, of the compared split if no other is named."""
        return self.by_seed(metric_of(split or self.split, name))

    def searched(self, name: str) -> float | None:
        """What the search before the runs cost: `trainings`, `epochs`, `seconds`, `flops`; None if it is not known."""
        return (self.search or {}).get(name)


def per_seed(runs: Sequence[Digest], figure: RunFigure) -> dict[int, float]:
    """Seed → the mean figure of its runs, without figures that are not finite."""
    values: dict[int, list[float]] = {}
    for run in runs:
        value = figure(run)
        if value is not None and math.isfinite(value):
            values.setdefault(run["seed"], []).append(float(value))
    return {seed: statistics.fmean(several) for seed, several in sorted(values.items())}


def with_distinguishing_settings(groups: Sequence[RunGroup]) -> list[RunGroup]:
    """The groups; those whose data have the same name but other predicted examples name the settings that differ."""
    result = []
    for one in groups:
        others = [other for other in groups if other.dataset == one.dataset and other.examined and one.examined]
        settings = [_written(other.setting("data")) for other in others]
        if len({other.examined for other in others}) < 2:
            result.append(one)
            continue
        data = _written(one.setting("data"))
        differing = [name for name in data if any(other.get(name) != data[name] for other in settings)]
        names = [name for name in differing if data[name] and name not in LOADING][:3]
        distinguishing = ", ".join(f"{name}={_short(data[name])}" for name in names) or one.label
        result.append(replace(one, distinguishing=distinguishing, distinguished_by=tuple(names)))
    return result


def _short(value: str) -> str:
    """A setting as a heading shows it: of a class, or its method `fit`, the name without the modules around it."""
    return value.removesuffix(".fit").rpartition(".")[2] if re.fullmatch(r"[A-Za-z_][\w.]*", value) else value


def leaves(settings: Any, name: str = "") -> dict[str, Any]:
    """The leaves of nested settings by the last part of their names; the last of several of one name."""
    if isinstance(settings, dict):
        return {key: value for part, inner in settings.items() for key, value in leaves(inner, part).items()}
    return {name: settings}


def _written(settings: Any) -> dict[str, str]:
    """The leaves of nested settings, as JSON."""
    return {name: json.dumps(value).strip('"') for name, value in leaves(settings).items()}


def by_dataset(groups: Sequence[RunGroup]) -> dict[str, list[RunGroup]]:
    """The groups of each dataset."""
    datasets: dict[str, list[RunGroup]] = {}
    for one in groups:
        datasets.setdefault(one.dataset, []).append(one)
    return datasets


def in_reading_order(groups: Sequence[RunGroup]) -> list[RunGroup]:
    """Groups of one dataset together: the user's first, those with their newest run before others; then what compares
    most architectures.
    """
    datasets = sorted(
        by_dataset(groups).values(),
        key=lambda some: (
            not any(one.is_users for one in some),
            -max(one.ended for one in some),
            -len({one.architecture for one in some}),
        ),
    )
    return [one for some in datasets for one in sorted(some, key=lambda one: not one.is_users)]
