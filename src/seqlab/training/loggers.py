"""Loggers that a resumed run continues."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]
from lightning.pytorch.loggers import Logger, TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only

from hydra_pruning_sweeper.atomic_files import write_atomically
from seqlab.folders import LOGGED_METRICS
from seqlab.inference.attention_maps import AttentionMaps

CELL = 16
"""Pixels: a side of a weight in a picture of attention."""


class MetricsFile(Logger):
    """Writes `metrics.csv` into `folder`: one row per call, with empty cells for the metrics that the call did not log.

    Lightning's CSV logger deletes the file when a run is resumed, and rewrites it in place when a new metric appears;
    this one does neither.
    """

    def __init__(self, folder: str | Path) -> None:
        super().__init__()
        self.path = Path(folder) / LOGGED_METRICS
        self._columns: list[str] = []
        self._rows: list[dict[str, Any]] = []

    @property
    def name(self) -> str:
        return "metrics"

    @property
    def version(self) -> str:
        return ""

    @rank_zero_only
    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        """Does nothing: the run's settings are in `.hydra/config.yaml`."""

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Adds a row."""
        row = {"step": step, **metrics}
        self._rows.append(row)
        if set(row) <= set(self._columns) and self.path.is_file():
            with self.path.open("a", newline="", encoding="utf-8") as file:
                csv.DictWriter(file, self._columns).writerow(row)
        else:
            self._write()

    @rank_zero_only
    def resume(self, step: int) -> None:
        """Drops the rows from `step` on, which the resumed run writes again."""
        if self.path.is_file():
            with self.path.open(newline="", encoding="utf-8") as file:
                self._rows = [row for row in csv.DictReader(file) if int(row["step"]) < step]
            self._write()

    def _write(self) -> None:
        self._columns = list(dict.fromkeys(["step", "epoch", *(name for row in self._rows for name in row)]))
        text = io.StringIO()
        writer = csv.DictWriter(text, self._columns)
        writer.writeheader()
        writer.writerows(self._rows)
        write_atomically(self.path, text.getvalue())


class Events(TensorBoardLogger):
    """TensorBoard's events, with the run's settings and a picture of attention; no step of a resumed run appears twice.

    Event files are append-only: a session-start event tells TensorBoard to drop earlier events from its step on.
    """

    @rank_zero_only
    def resume(self, step: int) -> None:
        """Adds that event: the resumed run logs `step` and later steps again."""
        from tensorboard.compat.proto.event_pb2 import Event, SessionLog  # type: ignore[import-untyped]

        session_start = Event(step=step, session_log=SessionLog(status=SessionLog.START))
        self.experiment.file_writer.add_event(session_start)

    @rank_zero_only
    def add_settings(self, settings: Mapping[str, Any]) -> None:
        """Shows the settings of the run among TensorBoard's texts."""
        written = yaml.safe_dump(json.loads(json.dumps(settings, default=str)), sort_keys=False, allow_unicode=True)
        self.experiment.add_text("settings", "".join(f"    {line}\n" for line in written.splitlines()))

    @rank_zero_only
    def add_attention(self, looks: AttentionMaps, step: int) -> None:
        """Shows where each attention looks in one source: the mean over heads, light where it looks most.

        A row is an output token, a column a source token; a text beside the pictures names them.
        """
        for name, weights in looks.maps.items():
            picture = weights.mean(0).repeat_interleave(CELL, 0).repeat_interleave(CELL, 1)
            self.experiment.add_image(f"attention/{name}", picture[None], step)
        tokens = f"columns: {' '.join(looks.source_tokens)}\n\nrows: {' '.join(looks.output_tokens)}"
        self.experiment.add_text("attention", tokens, step)
        self.experiment.flush()  # evaluating has closed the file before, and nothing closes this one
