"""Continuing texts with a small GPT, beside Hugging Face's with its cache and a loop without one."""

from __future__ import annotations

import torch

from benchmarks import training, workloads
from benchmarks.harness import Done, Row, Side, Timings, alternate, isolated, say
from benchmarks.peers.hugging_face import GPT2
from benchmarks.textbook.gpt import GPT
from seqlab.decoding import Sample

TOKENS = 500
POSITIONS = ("experiment=shakespeare_char", "model.max_positions=512")
SHAPE = {"width": 128, "heads": 4, "layers": 4}
AIMS = {1: 3.0, 16: 2.0}
START = 5  # the id of whatever symbol


def ours(batch: int, tokens: int) -> Side:
    """seqlab's, keys and values kept."""
    model = training.our_model(POSITIONS, workloads.shakespeare()).eval()
    source, lengths = torch.zeros(batch, 1, dtype=torch.long), torch.zeros(batch, dtype=torch.long)
    search = Sample(max_length=tokens, min_length=tokens)

    def generate(turn: int) -> Done:
        found = model.generate(source, lengths, search)
        assert int(found.lengths.min()) == tokens
        return Done(batch * tokens)

    return generate


def hugging_face(batch: int, tokens: int) -> Side:
    """Hugging Face's, keys and values kept."""
    model = GPT2(workloads.shakespeare().target_size, block=512, **SHAPE).eval()
    start = torch.full((batch, 1), START)

    def generate(turn: int) -> Done:
        assert model.continued(start, tokens).size(1) == tokens + 1
        return Done(batch * tokens)

    return generate


def textbook(batch: int, tokens: int) -> Side:
    """The loop that reads the last 64 tokens anew for each."""
    model = GPT(workloads.shakespeare().target_size, block=64, dropout=0.0, **SHAPE).eval()
    start = torch.full((batch, 1), START)

    def generate(turn: int) -> Done:
        assert model.continued(start, tokens // 2).size(1) == tokens // 2 + 1
        return Done(batch * (tokens // 2))

    return generate


def measure(name: str, peaks: dict[str, float], quick: bool) -> list[Row]:
    """A benchmark's rows."""
    workloads.shakespeare()
    rows = []
    for batch, aim in AIMS.items():
        say(f"    batch {batch}")
        timings = isolated(_alternate, batch, 20 if quick else TOKENS, 0.0 if quick else 8.0)
        for other, title in (("hugging_face", "Hugging Face GPT-2, with cache"), ("textbook", "textbook, no cache")):
            ratio = timings.ratio("ours", other)
            aimed = other == "hugging_face"
            rows.append(
                Row(
                    benchmark=name,
                    work=f"generating {TOKENS} tokens, `gpt` of 4 layers of 128, batch {batch}",
                    beside=title,
                    unit="tokens/s",
                    ours=timings.rate("ours"),
                    theirs=timings.rate(other),
                    ratio=ratio,
                    aim=f"≥ {aim:g} ×" if aimed else "",
                    met=ratio.median >= aim if aimed else None,
                )
            )
    return rows


def _alternate(batch: int, tokens: int, seconds: float) -> Timings:
    torch.manual_seed(1)
    sides = {side.__name__: side(batch, tokens) for side in (ours, hugging_face, textbook)}
    return alternate(sides, seconds, warmup=1 if seconds else 0, least=3 if seconds else 1)
