"""The model card of a bundle (Mitchell et al. 2019, arXiv 1810.03993): what the model is, and what is known of it."""

from __future__ import annotations

import inspect
from typing import Any

from seqlab.data.module import SequenceData
from seqlab.dataset_analysis.overlap import leakage_of
from seqlab.identity import changes_on_resuming
from seqlab.models.base import Seq2Seq
from seqlab.training.results import metrics_table

WEIGHTS = {
    "best": "those of the best validation",
    "last": "those after the last step",
    "average": "the mean of those after several steps",
}
PACKAGES = ("python", "torch", "lightning", "seqlab")


def card(result: dict[str, Any], data: SequenceData, model: Seq2Seq, trust: str = "") -> str:
    """A bundle's README.md, from what a run found out of `model` on `data`.

    Args:
        trust: what is to be typed so that the bundle's classes are imported.
    """
    parts = (_purpose(result, data, model, trust), _data(result, data), _training(result), _metrics(result, data))
    return "\n\n".join("\n".join(part) for part in (*parts, _limits(data, model), _licence(data))) + "\n"


def _purpose(result: dict[str, Any], data: SequenceData, model: Seq2Seq, trust: str) -> list[str]:
    kind = type(model)
    what = (inspect.getdoc(kind) or "").partition("\n")[0]
    use = f"seqlab-predict run=FOLDER{trust} input=FILE     # a line an input; input=- reads standard input"
    if not data.has_bos_eos:
        use = f'seqlab-generate run=FOLDER{trust} prompt="TEXT"'
    return [
        f"# {result['name']}",
        "",
        f"A model of `{kind.__module__}.{kind.__qualname__}`, {result['parameters']:,} parameters. {what}",
        "",
        f"Trained by seqlab on {data.describe()}. To use it, FOLDER being where this file stands:",
        "",
        f"    {use}",
    ]


def _data(result: dict[str, Any], data: SequenceData) -> list[str]:
    examples = ", ".join(f"{count:,} {split}" for split, count in result["examples"].items())
    leaks = [f"- {split} {line}." for split, one in leakage_of(data).items() for line in one.summary()]
    standing = ["", "What of the held-out splits stands in training:", "", *leaks] if leaks else []
    return ["## Data", "", f"{data.describe()}. Examples: {examples}.", *standing]


def _training(result: dict[str, Any]) -> list[str]:
    environment, training = result["environment"], result["training"]
    versions = ", ".join(f"{name} {environment[name]}" for name in PACKAGES)
    resumed = changes_on_resuming(result["resumed"])
    again = [f"It went on {'; '.join(resumed)}. In one go this line may give another result.", ""] if resumed else []
    return [
        "## Training",
        "",
        f"    {result['command']}",
        "",
        *again,
        f"Epochs {result['epochs']}, steps {result['steps']:,}, target tokens {training['tokens']:,};"
        f" {training['seconds']:.0f} s on {environment['device']} with threads {environment['threads']}, about"
        f" {training['flops'] / 1e12:.3g} TFLOP. Seed {result['seed']}; commit {environment['commit']},"
        f" code {environment['code']}; {versions}.",
    ]


def _metrics(result: dict[str, Any], data: SequenceData) -> list[str]:
    metrics = result["metrics"]
    search = result["settings"]["decoding"]["_target_"].rpartition(".")[2]
    measured = ", ".join(f"{count:,} {split}" for split, count in result["measured"].items())
    notes = [f"The weights are {WEIGHTS[result['weights']]}.", "Losses are in nats a token."]
    notes += ["Teacher-forced metrics tell the model every earlier target token."]
    notes += [f"Free-running ones let it speak on its own, by {search} search."] if data.has_bos_eos else []
    notes += ["Those with filler count the zeros that fill arrays up."] if data.filler is not None else []
    notes += ["The test split was measured once, after training."] if "test" in metrics else []
    return [
        "## Metrics",
        "",
        metrics_table(metrics).markdown(),
        f"Measured examples: {measured}. {' '.join(notes)}",
        *(f"{name}: `{signature}`." for name, signature in result["signatures"].items()),
    ]


def _limits(data: SequenceData, model: Seq2Seq) -> list[str]:
    source = f"sources of at most {data.longest_source} tokens and " if data.has_bos_eos else ""
    positions = "" if model.max_positions is None else f" It takes no more than {model.max_positions} positions."
    return [
        "## Limits",
        "",
        f"- Its data has {source}targets of at most {data.longest_target}: nothing is known of longer ones.{positions}",
        f"- It knows {data.source_size:,} symbols of sources and {data.target_size:,} of targets, the four special ones"
        " included; what cannot be said in them is refused, or read as unknown.",
        "- The metrics are of held-out examples of the same data, from one run: of other data they say nothing, and"
        " another seed gives other figures.",
    ]


def _licence(data: SequenceData) -> list[str]:
    return ["## Licence", "", f"Of seqlab: MIT. Of the data: {data.licence()}."]
