"""The result of a finished run: what `result.json` holds, with types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from seqlab.errors import InputError
from seqlab.folders import RESULT, TRAINING_COST
from seqlab.runs.json_checks import (
    anything,
    fields_of,
    from_json,
    mapping_of,
    number,
    optional,
    pair,
    read_json,
    record,
    scalar,
    some,
    to_json,
    whole,
)

GENERATED = "free_running"
"""The kind of generation with the search of `decoding`, in `generation` and in the names of metrics."""

Figures = Mapping[str, float | None]
"""Numbers by name. A number that is not finite (the perplexity of a run that diverged) is None: JSON has no word for
it."""

FIGURES = mapping_of(optional(number))
OVERLAP = record(
    {},
    {
        "copies": optional(number),
        "ngrams": optional(FIGURES),
        "nearest": optional(record({}, {"near_copies": optional(number)})),
    },
)
"""How much of one side of a held-out split appears in training: `copies` is the share of sentences that do so word for
word, `ngrams` maps an n to the share of n-grams, and `nearest` describes near copies (see `metrics.leakage`)."""

Counts = Mapping[str, int]
Metrics = Annotated[Mapping[str, Figures], some(mapping_of(FIGURES))]
Leakage = Mapping[str, Mapping[str, Annotated[Mapping[str, Any], OVERLAP]]]
RecordedResumption = Annotated[Mapping[str, Any], record({"step": whole, "changed": mapping_of(pair)})]
"""That a run was resumed with something changed: after which optimizer `step`, and the settings by name, each with its
value before and after."""


@dataclass(frozen=True, kw_only=True)
class RunSeconds:
    """Wall-clock seconds of a run, those of its parts before it was resumed included."""

    fit: float | None = None
    measure: float | None = None
    all: float | None = None


MOST_WAITED = 0.1
"""The share of its seconds that a run may have waited for a core, for its times to be its own."""


def in_mebibytes(count: float | None) -> float | None:
    """Bytes in MiB; None if they are not known."""
    return None if count is None else count / 2**20


def in_teraflops(operations: float | None) -> float | None:
    """Floating-point operations in 10¹²; None if they are not known."""
    return None if operations is None else operations / 1e12


@dataclass(frozen=True, kw_only=True)
class TrainingCost:
    """What the training steps took: target tokens without padding, seconds without validation, those of them in which
    the thread that trains waited for a core, and about how many floating-point operations. `peak_memory`: bytes at
    most, on a GPU of tensors, else of the whole process.
    """

    tokens: float | None = None
    seconds: float | None = None
    waited: float | None = None
    flops: float | None = None
    tokens_per_second: float | None = None
    peak_memory: int | None = None

    @classmethod
    def read(cls, folder: Path) -> TrainingCost:
        """The cost of a training that was not measured; all of it None where there is no such file."""
        try:
            return from_json(cls, read_json(folder / TRAINING_COST, record(*fields_of(cls))))
        except InputError:
            return cls()

    def as_json(self) -> dict[str, Any]:
        """The content of that file."""
        return to_json(self)

    @property
    def mebibytes(self) -> float | None:
        """The most memory, in MiB."""
        return in_mebibytes(self.peak_memory)

    @property
    def teraflops(self) -> float | None:
        """Floating-point operations in 10¹²."""
        return in_teraflops(self.flops)


@dataclass(frozen=True, kw_only=True)
class RecordedIdentity:
    """What data and model a run had: hashes of files, of vocabularies and of the shapes of parameters."""

    data: Mapping[str, Any] | None = None
    model: Mapping[str, Any] | None = None


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """The content of `result.json`, in the order of the file. What an earlier seqlab did not record is None, or empty.

    Args:
        command: the line to type for the run.
        data: the data in words.
        examples, measured: numbers of examples by split: all of them, and those that were evaluated.
        leakage: by held-out split and side (sources, targets, …), what of it appears in training.
        steps: of the optimizer.
        weights: which weights were evaluated: "best", "last" or "average".
        averaged_steps: the steps whose weights were averaged.
        resumed: each time that the run was resumed with something changed.
        precision: such as "32-true", or "tf32" if a GPU computed products in TF32.
        precision_seconds: seconds of a training step by precision, if the run chose between them.
        cuda_graphs: on captured training steps (see `training.callbacks.capture_policy`), if they were to be captured.
        environment: versions, commit, hash of the code, device, processes and threads.
        signatures: sacrebleu's, by metric.
        generation: by kind of search, what it took to generate from the split that was evaluated last: `outputs`,
            `seconds` until they were text (of several processes, of the slowest), those of them `waited` for a core,
            `per_second`.
        metrics: by split, then by "kind/name".
        settings: the configuration, unresolved.
    """

    name: str
    command: str | None = None
    seed: int
    data: str | None = None
    examples: Counts = field(default_factory=dict)
    measured: Counts = field(default_factory=dict)
    leakage: Leakage = field(default_factory=dict)
    parameters: int | None = None
    trained_parameters: int | None = None
    steps: int | None = None
    epochs: int | None = None
    weights: str | None = None
    averaged_steps: Sequence[int] | None = None
    seconds: RunSeconds = RunSeconds()
    training: TrainingCost = TrainingCost()
    identity: RecordedIdentity = RecordedIdentity()
    resumed: Sequence[RecordedResumption] = field(default_factory=list)
    precision: str | None = None
    precision_seconds: Figures | None = None
    cuda_graphs: Mapping[str, Annotated[Any, scalar]] | None = None
    environment: Mapping[str, Annotated[Any, scalar]] = field(default_factory=dict)
    signatures: Mapping[str, str] = field(default_factory=dict)
    generation: Annotated[Mapping[str, Figures], mapping_of(FIGURES)] = field(default_factory=dict)
    metrics: Metrics
    settings: Mapping[str, Annotated[Any, anything]] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> RunResult:
        """The result of the run in `folder`.

        Raises:
            InputError: the run has not finished, or its `result.json` is not one; names the file and the key.
        """
        if not folder.is_dir():
            raise InputError(f"{folder}: no such folder; expected that of a run")
        if not (folder / RESULT).exists():
            raise InputError(f"{folder}: no {RESULT} here; expected the folder of a run that has finished")
        return cls.of(read_json(folder / RESULT, record(*fields_of(cls))))

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> RunResult:
        """The result that checked content holds: that of `result.json`, or of a digest."""
        return from_json(cls, content)

    def as_json(self) -> dict[str, Any]:
        """The content of `result.json`."""
        return to_json(self)

    def metric(self, split: str, name: str) -> float | None:
        """A metric of a split ("kind/name"); None if it was not measured, or is not finite."""
        return self.metrics.get(split, {}).get(name)

    @property
    def main_split(self) -> str:
        """The split that counts: test where it was measured, else validation, else training; "" without any."""
        return next((split for split in ("test", "val", "train") if split in self.metrics), "")

    def leaked(self, split: str = "val") -> float | None:
        """The share of a split's sentences that appear in training, word for word: of sides, the largest share.

        None where nothing was measured.
        """
        shares = [side.get("copies") for side in self.leakage.get(split, {}).values()]
        return max((share for share in shares if share is not None), default=None)

    @property
    def share_waited(self) -> float:
        """The largest share of its seconds of training, and of generation, in which the run waited for a core; 0 where
        that is not known.
        """
        costs = ({"seconds": self.training.seconds, "waited": self.training.waited}, *self.generation.values())
        return max(map(share_waited, costs))

    @property
    def code(self) -> str | None:
        """The hash of the code that ran."""
        return self.environment.get("code")


def compared_split(results: Sequence[RunResult]) -> str:
    """The split whose metrics of several runs are compared: test, or validation where some run has no test split."""
    return "test" if results and all("test" in result.metrics for result in results) else "val"


def share_waited(cost: Mapping[str, Any]) -> float:
    """The share of the seconds of a cost that were waited for a core; 0 where that is not known."""
    waited, seconds = cost.get("waited"), cost.get("seconds")
    return waited / seconds if waited and seconds else 0.0


def had_cores_to_itself(cost: Mapping[str, Any] | None) -> bool:
    """Whether the run did not have to wait for a core while it took the seconds of a cost in a digest (`training`, or
    one of `generation`): then they are its own.

    Earlier runs, which did not record memory either, did not record that, so their seconds tell nothing. A system that
    does not count it is believed.
    """
    if cost is None or not {"waited", "peak_memory"} & cost.keys():
        return False
    return share_waited(cost) <= MOST_WAITED
