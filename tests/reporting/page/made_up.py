"""Digests, references and a sweep with the keys of real ones and figures that a test chooses."""

import json

from seqlab.reporting.page.sources import gather
from seqlab.runs.output_classes import RULE

TARGETS = {
    "gru": "seqlab.models.fixed_vector.FixedVector",
    "lstm": "seqlab.models.fixed_vector.FixedVector",
    "context_gru": "seqlab.models.context_gru.ContextGRU",
    "bahdanau": "seqlab.models.bahdanau.Bahdanau",
    "luong": "seqlab.models.luong.Luong",
    "conv": "seqlab.models.conv.Conv",
    "transformer": "seqlab.models.transformer.Transformer",
    "gpt": "seqlab.models.gpt.GPT",
}
CELLS = {"context_gru": "gru", "bahdanau": "gru", "luong": "lstm"}
ENVIRONMENT = {
    "seqlab": "0.1.0",
    "commit": "0123456789abcdef",
    "torch": "2.13.0",
    "device": "cpu (x86_64)",
    "threads": 1,
}
BITS = "metrics.val.teacher_forced/bits_per_byte"
WORDS = ["ein", "hund", "springt", "über", "den", "kleinen", "zaun"]
SAID = ["a", "dog", "jumps", "over", "the", "little", "fence"]


def digest(model="gru", seed=1, data="de→en of multi30k", bleu=20.0, speed=1000.0, lengths=(22.0, 20.0, 18.0), **more):
    """A finished run. `lengths` is BLEU at 1–7, 8–14 and 15–21 tokens; `more` replaces other entries."""
    steps, epochs = 70, 5
    curve = [
        {
            "step": 14 * epoch,
            "epoch": epoch,
            "tokens": 1400 * epoch,
            "seconds": 7.0 * epoch,
            "flops": 1e12 * epoch,
            "train/teacher_forced/loss": 5.0 / epoch,
            "val/teacher_forced/loss": 5.5 / epoch + 0.01 * seed,
        }
        for epoch in range(1, epochs + 1)
    ]
    bounds = [(1 + 7 * i, 7 + 7 * i) for i in range(len(lengths))]
    rows = [
        {"from": low, "to": high, "count": 101 + i, "bleu": value, "exact_match": value / 100, "token_accuracy": 0.5}
        for i, ((low, high), value) in enumerate(zip(bounds, lengths, strict=True))
    ]
    return {
        "name": f"multi30k_{model}",
        "folder": f"outputs/reproduce/C/{model}/{seed}",
        "command": f"seqlab-train experiment=multi30k_{model} seed={seed}",
        "seed": seed,
        "overrides": {"experiment": f"multi30k_{model}", "seed": str(seed)},
        "settings": {"model": {"_target_": TARGETS[model], "cell": CELLS.get(model, model), "width": 256}, "data": {}},
        "environment": dict(ENVIRONMENT),
        "data": data,
        "examples": {"train": 1009, "val": 101, "test": 103},
        "parameters": 100_003,
        "epochs": epochs,
        "steps": steps,
        "seconds": {"fit": 41.0, "measure": 3.0, "all": 44.0},
        "training": {
            "tokens": 7000,
            "seconds": 7000 / speed,
            "waited": 0.0,
            "flops": 5e12,
            "tokens_per_second": speed,
        },
        "metrics": {
            "val": {"teacher_forced/loss": 3.0},
            "test": {
                "teacher_forced/loss": 3.1,
                "free_running/token_bleu": bleu,
                "free_running/exact_match": bleu / 100,
            },
        },
        "leakage": {
            "val": {"source": {"copies": 0.011, "ngrams": {"5": 0.1, "10": 0.02, "15": None}, "nearest": None}}
        },
        "references": "all",
        "curve": curve,
        "by_length": {"split": "test", "unit": "tokens", "rows": rows},
        "failures": {"rule": RULE, "counts": {"good": 53, "missing words": 29, "degenerate": 21}},
        "samples": [sample(model, row) for row in range(5)],
        **more,
    }


def sample(model, row):
    """A sentence of two or more words, in one of three classes; with attention unless the model has none."""
    source, output = WORDS[: row + 2], SAID[: row + 2]
    found = {
        "source": " ".join(source),
        "reference": " ".join(SAID[: row + 2]),
        "prediction": " ".join(output),
        "class": ("good", "missing words", "degenerate")[row % 3],
        "length": row + 2,
    }
    if model in ("bahdanau", "transformer"):
        tokens = [*output, "<eos>"]
        even = [[round(1 / len(source), 3)] * len(source) for _ in tokens]
        found |= {"source_tokens": source, "output_tokens": tokens, "attention": {"attention": even}}
    if model == "transformer":
        found["attention"]["attention head 1"] = even
    return found


def reference(name="C", groups=None, significance=(), **more):
    """A claim's committed result; `groups` is label → digests."""
    groups = {"gru": [digest("gru")]} if groups is None else groups
    return {
        "claim": name,
        "profile": "cpu",
        "title": "Fixed vector against carried context",
        "text": "It carries more.",
        "source": "a paper",
        "verdict": "holds",
        "criteria": [{"text": "BLEU above", "expected": "(2) > (1)", "measured": "21 against 14", "holds": True}],
        "groups": [
            {"label": label, "title": label, "command": f"seqlab-train -m experiment=multi30k_{label}", "runs": runs}
            for label, runs in groups.items()
        ],
        "significance": list(significance),
        "environment": ENVIRONMENT,
        "machine": {"cores": 2},
        "seconds": 1234.5,
        **more,
    }


def claim_c(best=28.0, p=0.002):
    """Four architectures on Multi30k; `best` is bahdanau's BLEU, `p` what the paired tests came to."""
    of = {"gru": (14.0, 1300), "context_gru": (21.0, 1000), "bahdanau": (best, 500), "transformer": (20.0, 700)}
    falls = {"gru": (18, 14, 6), "context_gru": (25, 21, 12), "bahdanau": (29, 28, 27), "transformer": (22, 20, 18)}
    groups = {
        label: [digest(label, seed, bleu=bleu + seed / 10, speed=speed, lengths=falls[label]) for seed in (1, 2, 3)]
        for label, (bleu, speed) in of.items()
    }
    pairs = [("gru", "context_gru", 7.0), ("context_gru", "bahdanau", best - 21.0)]
    tests = [
        {
            "a": a,
            "b": b,
            "metric": "token BLEU",
            "difference": gap,
            "p": p,
            "interval": [gap - 0.5, gap + 0.5],
            "samples": 1000,
        }
        for a, b, gap in pairs
    ]
    return reference("C", groups, tests)


def claim_g(planted=(4.6, 4.4, 3.1), outside=6.1):
    """Phases 1 and 2, and phase 1 with shares of validation planted in training."""

    def phase(loss, other=None, copies=0.058):
        metrics = {"val": {"teacher_forced/loss": loss}}
        if other:
            metrics["val_other"] = {"teacher_forced/loss": other}
        found = digest("gpt", data="84 documents in ml; tokens 7", metrics=metrics)
        found["leakage"]["val"] = {
            "sentences": {"copies": copies, "ngrams": {"5": 0.11}, "nearest": {"near_copies": 0.06}}
        }
        return [{key: value for key, value in found.items() if key not in ("by_length", "failures", "samples")}]

    groups = {"phase1": phase(4.65, outside), "phase2": phase(outside, copies=0.0)}
    groups |= {f"planted_{share}": phase(loss) for share, loss in zip((0, 10, 50), planted, strict=True)}
    return reference("G", groups)


def claim_p(lstm=(0.02, 0.03), gpt=(0.05, 0.06)):
    """Two architectures of three sizes, whose laws have these intervals of their exponents."""

    def figures(exponent, compute):
        values = [3.0 * compute**-exponent + 0.01 * seed for seed in (-1, 0, 1)]
        return {
            "teraflops": {"mean": compute, "sd": 0.0, "values": [compute] * 3},
            BITS: {"mean": values[1], "sd": 0.01, "values": values},
        }

    bounds = {"lstm": lstm, "gpt": gpt}
    content = reference(
        "P", {f"{name}_{size}": [digest("gpt", data="shakespeare")] for name in bounds for size in (1, 2, 3)}
    )
    for group in content["groups"]:
        name, size = group["label"].split("_")
        group["figures"] = figures(sum(bounds[name]) / 2, 0.1 * 4 ** int(size))
    lines = [
        {
            "name": name,
            "groups": [f"{name}_{size}" for size in (3, 1, 2)],
            "constant": 3.0,
            "exponent": sum(interval) / 2,
            "interval": list(interval),
            "straightness": 0.99,
        }
        for name, interval in bounds.items()
    ]
    return content | {"power_laws": [{"text": "it falls", "x": "teraflops", "y": BITS, "lines": lines}]}


def sweep():
    """A search of five trials, three of which were pruned."""
    reported = [(3.0, 2.0, 1.5, 1.2), (3.5,), (2.9, 1.9, 1.1, 0.9), (4.0,), (3.3, 3.1)]
    trials = [
        {
            "number": number,
            "state": "COMPLETE" if len(values) == 4 else "PRUNED",
            "value": values[-1],
            "steps": len(values),
            "seconds": 1.5,
            "parameters": {"optimizer.lr": 0.001 * (number + 1), "model.width": 64},
            "reported": {str(step): value for step, value in enumerate(values, 1)},
            "baseline": number == 0,
        }
        for number, values in enumerate(reported)
    ]
    return {
        "study": "made_up",
        "folder": "outputs/sweeps/made_up",
        "command": "seqlab-train -m +sweeps=made_up",
        "direction": "minimize",
        "rungs": [1, 3],
        "best": 2,
        "parameters": ["optimizer.lr", "model.width"],
        "importance": {"optimizer.lr": 0.8, "model.width": 0.2},
        "trials": trials,
    }


def sentences(answer):
    """What an answer states: a text per conclusion, the verdict first."""
    return [" ".join((f"{one.about}: {one.verdict}", *one.evidence)) for one in answer.conclusions]


def text_of(answer):
    return " ".join(sentences(answer))


def write_references(outputs, *contents):
    """As files of `outputs/reference`."""
    for content in contents:
        name = content.get("claim") or (f"sweeps/{content['study']}" if "study" in content else "replay/replay")
        profile = content.get("profile", "cpu")
        path = outputs / "reference" / (f"{name}.json" if profile == "cpu" else f"{name}_{profile}.json")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content), encoding="utf-8")


def replay():
    """Three ways of searching on 12 curves, of which the second takes half of the first's epochs."""
    searches = {
        "in full": {"half": [0.5, 0.4], "same": [0.3, 0.2], "reached": [90, 80], "interval": [80, 90]},
        "stopping early": {"half": [0.3, 0.2], "same": [0.3, 0.2], "reached": [50, 35], "interval": [35, 50]},
        "hasty (as published)": {
            "half": [0.7, None],
            "same": [0.6, 0.5],
            "reached": [None, None],
            "interval": [None, None],
        },
    }
    task = {
        "task": "made_up",
        "axes": {"lr": [1, 2, 3], "width": [4, 5], "order": [6, 7]},
        "epochs": 7,
        "best": 0.1,
        "rank_correlation": {"1": 0.7},
        "budget": 100,
        "target": 0.25,
        "searches": searches,
    }
    return {"patience": 3, "seeds": [11, 13], "trials": 5, "tasks": [task]}


def gathered(outputs, *contents):
    """What the page is made of, of references alone."""
    write_references(outputs, *contents)
    return gather(outputs, None, {}.__getitem__, {}.__getitem__)


def write_run(outputs, *place):
    """The folder of a finished run; the test supplies its digest."""
    folder = outputs.joinpath(*place)
    folder.mkdir(parents=True)
    (folder / "result.json").write_text("{}", encoding="utf-8")
    return folder


def found(outputs, digests, *contents):
    """What the page is made of, of the user's runs (a digest each) and of references."""
    write_references(outputs, *contents)
    runs = {write_run(outputs, "multiruns", "mine", str(number)): one for number, one in enumerate(digests)}
    return gather(outputs, None, runs.__getitem__, {}.__getitem__)


def seeds(model, values, metric="free_running/token_bleu", **more):
    """Digests of one setting, of which each seed has one of `values` in a metric of the test split."""
    return [
        digest(model, seed, metrics={"test": {metric: value}}, overrides={"model": model, "seed": str(seed)}, **more)
        for seed, value in enumerate(values, 1)
    ]
