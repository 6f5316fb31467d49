"""The model card of a bundle (Mitchell et al. 2019, arXiv 1810.03993): purpose, data, training, metrics, limits."""

from __future__ import annotations

import inspect
import math
from typing import Any

import yaml  # type: ignore[import-untyped]

from seqlab.data.module import SequenceData
from seqlab.dataset_analysis.overlap import leakage_of
from seqlab.hub_models import EXPLAINED, FOLDER
from seqlab.identity import changes_on_resuming
from seqlab.kinds import model_name
from seqlab.metrics.registry import notes
from seqlab.models.base import Seq2Seq
from seqlab.runs.result import RunResult
from seqlab.training.results import metrics_table

WEIGHTS = {
    "best": "those of the best validation",
    "last": "those after the last step",
    "average": "the mean of those after several steps",
}
PACKAGES = ("python", "torch", "lightning", "seqlab")


def model_card(result: RunResult, data: SequenceData, model: Seq2Seq, trust: str = "") -> str:
    """The text of a bundle's README.md.

    Args:
        result: the run's `result.json`.
        trust: the setting to type so that the bundle's classes are imported, "" if none is needed.
    """
    front = yaml.safe_dump(_front_matter(result, data), sort_keys=False, allow_unicode=True)
    parts = (_purpose(result, data, model, trust), _data(result, data), _training(result), _metrics(result, data))
    text = "\n\n".join("\n".join(part) for part in (*parts, _limits(data, model), _licence(data)))
    return f"---\n{front}---\n\n{text}\n"


def _front_matter(result: RunResult, data: SequenceData) -> dict[str, Any]:
    """What model hubs read of a card: library, task, languages, and the metrics of the split that was kept for it."""
    sides = [getattr(data, name, None) for name in ("source_language", "target_language")]
    languages = [language for language in dict.fromkeys(sides) if language]
    task = (
        "text-generation" if not data.has_bos_eos else "translation" if len(languages) == 2 else "text2text-generation"
    )
    split = result.main_split
    values = result.metrics[split].items()
    metrics = [{"type": name, "value": value} for name, value in values if value is not None and math.isfinite(value)]
    return {
        "library_name": "seqlab",
        "pipeline_tag": task,
        **({"language": languages} if languages else {}),
        "tags": ["sequence-to-sequence", model_name(result.settings["model"])],
        "model-index": [
            {
                "name": result.name,
                "results": [
                    {
                        "task": {"type": task},
                        "dataset": {"name": data.describe(), "type": "seqlab", "split": split},
                        "metrics": metrics,
                    }
                ],
            }
        ],
    }


def _purpose(result: RunResult, data: SequenceData, model: Seq2Seq, trust: str) -> list[str]:
    kind = type(model)
    what = (inspect.getdoc(kind) or "").partition("\n")[0]
    use = f"seqlab-predict {FOLDER}{trust} input=FILE     # one input per line; input=- reads standard input"
    if not data.has_bos_eos:
        use = f'seqlab-generate {FOLDER}{trust} prompt="TEXT"'
    return [
        f"# {result.name}",
        "",
        f"Its architecture is {model_name(result.settings['model'])} (`{kind.__module__}.{kind.__qualname__}`),"
        f" {result.parameters:,} parameters. {what}",
        "",
        f"Trained by seqlab on {data.describe()}. To use it{EXPLAINED}:",
        "",
        f"    {use}",
    ]


def _data(result: RunResult, data: SequenceData) -> list[str]:
    examples = ", ".join(f"{count:,} {split}" for split, count in result.examples.items())
    leaks = [f"- {split} {line}." for split, one in leakage_of(data).items() for line in one.summary()]
    leakage = ["", "How much of the held-out splits appears in training:", "", *leaks] if leaks else []
    return ["## Data", "", f"{data.describe()}. Examples: {examples}.", *leakage]


def _training(result: RunResult) -> list[str]:
    environment, training = result.environment, result.training
    versions = ", ".join(f"{name} {environment[name]}" for name in PACKAGES)
    resumed = changes_on_resuming(result.resumed)
    history = f"The run was resumed {'; '.join(resumed)}. Without interruption this command may give another result."
    return [
        "## Training",
        "",
        f"    {result.command}",
        "",
        *([history, ""] if resumed else []),
        f"Epochs {result.epochs}, steps {result.steps:,}, target tokens {training.tokens:,};"
        f" {training.seconds:.0f} s on {environment['device']} with threads {environment['threads']}, about"
        f" {training.teraflops:.3g} TFLOP. Seed {result.seed}; commit {environment['commit']},"
        f" code {environment['code']}; {versions}.",
    ]


def _metrics(result: RunResult, data: SequenceData) -> list[str]:
    metrics = result.metrics
    search = result.settings["decoding"]["_target_"].rpartition(".")[2]
    measured = ", ".join(f"{count:,} {split}" for split, count in result.measured.items())
    sentences = [
        f"The weights are {WEIGHTS[str(result.weights)]}.",
        "Losses are cross-entropies in nats (natural logarithms) per token.",
    ]
    sentences += ["Teacher-forced metrics give the decoder all earlier target tokens."]
    sentences += [f"Free-running outputs are generated by {search} search."] if data.has_bos_eos else []
    sentences += ["Metrics with filler count the zeros that fill up arrays."] if data.filler is not None else []
    sentences += notes(name for values in metrics.values() for name in values)
    sentences += ["The test split was evaluated once, after training."] if "test" in metrics else []
    return [
        "## Metrics",
        "",
        metrics_table(metrics).markdown(),
        f"Evaluated examples: {measured}. {' '.join(sentences)}",
        *(f"{name}: `{signature}`." for name, signature in result.signatures.items()),
    ]


def _limits(data: SequenceData, model: Seq2Seq) -> list[str]:
    source = f"sources of at most {data.longest_source} tokens and " if data.has_bos_eos else ""
    positions = "" if model.max_positions is None else f" It takes at most {model.max_positions} positions."
    return [
        "## Limits",
        "",
        f"- Its data has {source}targets of at most {data.longest_target} tokens: it is untested on longer"
        f" ones.{positions}",
        f"- Its vocabularies have {data.source_size:,} symbols for sources and {data.target_size:,} for targets, the"
        " four special ones included; any other text is refused, or read as unknown.",
        "- The metrics are those of one run, on held-out examples of the same data. They say nothing about other data,"
        " and another seed gives other figures.",
    ]


def _licence(data: SequenceData) -> list[str]:
    return ["## Licence", "", f"seqlab: MIT. Data: {data.licence()}."]
