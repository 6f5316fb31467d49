"""Continuing texts with a small GPT, beside Hugging Face's with its cache and a loop without one."""

from __future__ import annotations

from importlib.util import find_spec

import torch

from benchmarks import hardware, training, workloads
from benchmarks.harness import Done, Row, Side, Timings, alternate, isolated, say
from benchmarks.peers.hugging_face import GPT2
from benchmarks.textbook.gpt import GPT
from seqlab.decoding import Sample

TOKENS = 500
POSITIONS = ("experiment=shakespeare_char", "model.max_positions=512")
SHAPE = {"width": 128, "heads": 4, "layers": 4}
AIMS = {1: 3.0, 16: 2.0}
"""Times Hugging Face's rate, by batch size."""
GPU_AIM, GPU_RATES = 10.0, {1: 4000, 16: 40_000}
"""On a GPU: times Hugging Face's rate and, where it is an H200 or as fast, tokens a second."""
START = 5  # the id of whatever symbol


def ours(batch: int, tokens: int) -> Side:
    """seqlab's, keys and values kept."""
    device = hardware.device()
    model = training.our_model(POSITIONS, workloads.shakespeare()).to(device).eval()
    source = torch.zeros(batch, 1, dtype=torch.long, device=device)
    lengths = torch.zeros(batch, dtype=torch.long, device=device)
    search = Sample(max_length=tokens, min_length=tokens)

    def generate(turn: int) -> Done:
        found = model.generate(source, lengths, search)
        assert int(found.lengths.min()) == tokens
        return Done(batch * tokens)

    return generate


def hugging_face(batch: int, tokens: int) -> Side:
    """Hugging Face's, keys and values kept."""
    model = GPT2(workloads.shakespeare().target_size, block=512, **SHAPE).to(hardware.device()).eval()
    start = torch.full((batch, 1), START, device=hardware.device())

    def generate(turn: int) -> Done:
        assert model.continued(start, tokens).size(1) == tokens + 1
        return Done(batch * tokens)

    return generate


def textbook(batch: int, tokens: int) -> Side:
    """The loop that reads the last 64 tokens anew for each."""
    model = GPT(workloads.shakespeare().target_size, block=64, dropout=0.0, **SHAPE).to(hardware.device()).eval()
    start = torch.full((batch, 1), START, device=hardware.device())

    def generate(turn: int) -> Done:
        assert model.continued(start, tokens // 2).size(1) == tokens // 2 + 1
        return Done(batch * (tokens // 2))

    return generate


def measure(name: str, peaks: dict[str, float], quick: bool) -> list[Row]:
    """A benchmark's rows."""
    workloads.shakespeare()
    rows = []
    for batch in AIMS:
        say(f"    batch {batch}")
        timings = isolated(_alternate, batch, 20 if quick else TOKENS, 0.0 if quick else 8.0)
        rows += [_row(name, batch, other, timings) for other in others()]
    return rows


def others() -> dict[str, str]:
    """What there is to be compared with, and how the table calls it."""
    hugging = {"hugging_face": "Hugging Face GPT-2, with cache"} if find_spec("transformers") else {}
    return {**hugging, "textbook": "textbook, no cache"}


def _row(name: str, batch: int, other: str, timings: Timings) -> Row:
    """The ratio aimed at is to Hugging Face's rate, which the textbook's loop is far from."""
    ratio, rate = timings.ratio("ours", other), timings.rate("ours")
    aims: dict[str, bool] = {}
    if other == "hugging_face":
        least = GPU_AIM if hardware.on_gpu() else AIMS[batch]
        aims[f"≥ {least:g} ×"] = ratio.median >= least
    if hardware.on_gpu() and other == next(iter(others())):
        aims[f"≥ {GPU_RATES[batch]:,} tokens/s"] = rate.median >= GPU_RATES[batch]
    return Row(
        benchmark=name,
        work=f"generating {TOKENS} tokens, `gpt` of 4 layers of 128, batch {batch}",
        beside=others()[other],
        unit="tokens/s",
        ours=rate,
        theirs=timings.rate(other),
        ratio=ratio,
        aim=", ".join(aims),
        met=all(aims.values()) if aims else None,
    )


def _alternate(batch: int, tokens: int, seconds: float) -> Timings:
    torch.manual_seed(1)
    makers = {"ours": ours, "hugging_face": hugging_face, "textbook": textbook}
    sides = {side: makers[side](batch, tokens) for side in ("ours", *others())}
    return alternate(sides, seconds, warmup=1 if seconds else 0, least=3 if seconds else 1)
