"""Claim K: the character-level LSTM of the Keras example, beside the example itself."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from types import TracebackType

import numpy as np
import torch
from torch.nn import functional as F

from benchmarks import decoding, training, workloads
from benchmarks.harness import Done, Row, Side, Timings, alternate, isolated, say
from benchmarks.workloads import CACHE, ROOT, Pairs
from seqlab.data.batch import Batch
from seqlab.decoding import Greedy

OVERRIDES = ("experiment=anki_char_lstm",)
BATCHES = 10
"""Of 64 pairs, that a turn trains on."""
SENTENCES = 2
"""That the example's loop translates in a turn."""


def interpreter() -> Path | None:
    """The Python that has Keras and TensorFlow: $KERAS_PYTHON, or what `make bench-keras` has set up."""
    path = Path(os.environ.get("KERAS_PYTHON", ROOT / ".venv/keras/bin/python"))
    return path if path.exists() else None


class Keras:
    """The example in a process of its own, for TensorFlow's threads and torch's would disturb each other.

    It works only when it is asked to, and tells how many seconds that took.
    """

    def __init__(self, python: Path, data: Path) -> None:
        script = Path(__file__).parent / "peers/keras_example.py"
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": "tensorflow"}
        environment.pop("PYTHONPATH", None)
        environment.pop("OMP_NUM_THREADS", None)
        self._process = subprocess.Popen(
            [str(python), str(script), str(data)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment,
        )

    def side(self, work: str, **settings: int) -> Side:
        """A side that has it do `work`."""

        def ask(turn: int) -> Done:
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            print(json.dumps({"work": work, "turn": turn, **settings}), file=self._process.stdin, flush=True)
            answer = self._process.stdout.readline()
            if not answer:
                raise RuntimeError(f"the Keras example ended with code {self._process.wait()}")
            return Done(**json.loads(answer))

        return ask

    def memory(self) -> float:
        """MiB that it took at most so far."""
        return self.side("memory")(0).amount  # type: ignore[union-attr]

    def __enter__(self) -> Keras:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()


def measure(name: str, peaks: dict[str, float], quick: bool) -> list[Row]:
    """A benchmark's rows."""
    python = interpreter()
    if python is None:
        say("    no Keras here: `make bench-keras` sets it up beside .venv, or KERAS_PYTHON names a Python that has it")
        return []
    pairs = workloads.anki()
    trained, said, memory = isolated(_alternate, python, _handed_over(pairs), quick)
    return [*_training_rows(name, pairs, trained, memory), _translating_row(name, pairs, said)]


def _alternate(python: Path, data: Path, quick: bool) -> tuple[Timings, Timings, float]:
    """Turns of training, turns of translating, and what the example took of memory while it trained."""
    torch.manual_seed(1)
    with Keras(python, data) as keras:
        keras.side("train", batches=1)(0)  # compiles
        trained = _train(keras, 0.0 if quick else 25.0)
        memory = keras.memory()
        say("    trained; now translating")
        keras.side("translate", sentences=1)(0)
        return trained, _translate(keras, 0.0 if quick else 20.0), memory


def _training_rows(name: str, pairs: Pairs, timings: Timings, memory: float) -> list[Row]:
    kinds = {
        "32-true same": "float32, same batches padded to the longest pair",
        "32-true random": "float32, each its own batches, ours at random",
        "32-true sorted": "float32, each its own batches, ours by length",
        "bf16-mixed sorted": "bf16, each its own batches, ours by length",
    }
    rows = []
    for side, how in kinds.items():
        if side.split()[0] not in training.precisions():
            continue
        ratio, aimed = timings.ratio(side, "keras"), side == "32-true sorted"
        ours, theirs = (1000 * timings.seconds(one).median / BATCHES for one in (side, "keras"))
        rows.append(
            Row(
                benchmark=name,
                work=f"claim K, training, LSTM 256, batch 64, {pairs.name}, {how}",
                beside="Keras example, TensorFlow",
                unit="pairs/s",
                ours=timings.rate(side),
                theirs=timings.rate("keras"),
                ratio=ratio,
                aim="≥ 5 ×" if aimed else "",
                met=ratio.median >= 5 if aimed else None,
                note=f"{how}: {ours:.1f} and {theirs:.1f} ms a batch; Keras takes {memory:,.0f} MiB, imports counted",
            )
        )
    return rows


def _translating_row(name: str, pairs: Pairs, timings: Timings) -> Row:
    ratio = timings.ratio("ours", "keras")
    return Row(
        benchmark=name,
        work=f"claim K, translating the held-out fifth, {pairs.name}",
        beside="Keras example's loop, TensorFlow",
        unit="characters/s",
        ours=timings.rate("ours"),
        theirs=timings.rate("keras"),
        ratio=ratio,
        aim="≥ 1,000 ×",
        met=ratio.median >= 1000,
    )


def _handed_over(pairs: Pairs) -> Path:
    """The pairs of a turn's batches and some of those held out, as a file for the other process."""
    longest = pairs.longest()
    path = CACHE / "characters.npz"
    path.parent.mkdir(parents=True, exist_ok=True)
    train, held_out = _joined(pairs.batches(BATCHES, 64, sorted_by_length=False)), pairs.some("val", 100)
    np.savez(
        path,
        sizes=np.array([pairs.source_size, pairs.target_size, *longest]),
        source=train.source.numpy(),
        target=train.target.numpy(),
        held_out=held_out.source.numpy(),
        said=held_out.tokens.numpy(),
    )
    return path


def _joined(batches: list[Batch]) -> Batch:
    """One batch of several, padded to the longest of them."""
    source, target = (max(getattr(batch, side).size(1) for batch in batches) for side in ("source", "target"))
    fields = zip(*(_padded(batch, source, target) for batch in batches), strict=True)
    return Batch(*(torch.cat(field) for field in fields))


def _padded(batch: Batch, source: int, target: int) -> Batch:
    """The batch with as many steps on either side."""
    own = batch._asdict()
    for side, steps in (("source", source), ("target", target)):
        own[side] = F.pad(own[side], (0, steps - own[side].size(1)))
    return Batch(**own)


def _train(keras: Keras, seconds: float) -> Timings:
    pairs = workloads.anki()
    random = pairs.batches(BATCHES, 64, sorted_by_length=False)
    by_length = pairs.batches(BATCHES * 8, 64, sorted_by_length=True)
    batches = {"same": [_padded(batch, *pairs.longest()) for batch in random], "random": random, "sorted": by_length}
    sides: dict[str, Side] = {"keras": keras.side("train", batches=BATCHES)}
    for precision, kind in ((training.SINGLE, one) for one in batches):
        sides[f"{precision} {kind}"] = _several(pairs, batches[kind], precision)
    if training.HALF in training.precisions():
        sides[f"{training.HALF} sorted"] = _several(pairs, by_length, training.HALF)
    return alternate(sides, seconds, warmup=1 if seconds else 0, least=3 if seconds else 1)


def _several(pairs: Pairs, batches: list[Batch], precision: str) -> Side:
    """As many steps of ours as a turn of the other side has, counted in pairs."""
    step = training.our_step(OVERRIDES, pairs, batches, precision)

    def steps(turn: int) -> Done:
        chosen = range(turn * BATCHES, (turn + 1) * BATCHES)
        for one in chosen:
            step(one)
        return Done(sum(len(batches[one % len(batches)].source) for one in chosen))

    return steps


def _translate(keras: Keras, seconds: float) -> Timings:
    pairs = workloads.anki()
    batches = pairs.in_order("val", 256)
    sides = {
        "ours": decoding.our_search(OVERRIDES, pairs, batches, Greedy(max_length=pairs.longest()[1])),
        "keras": keras.side("translate", sentences=SENTENCES),
    }
    return alternate(sides, seconds, warmup=1 if seconds else 0, least=3 if seconds else 1)
