"""Searches the training data of the runs for typed texts; the data of a run is read when it is first asked for."""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from seqlab.errors import InputError
from seqlab.playground.played_models import PlayedModel
from seqlab.playground.training_data import UNKNOWN, SearchableTraining, searchable_training
from seqlab.playground.wire import sent

log = logging.getLogger(__name__)
T = TypeVar("T")

KEPT = 4
"""How many runs' training data stays in memory; of more, the one that was read first is dropped."""


class Background:
    """A thread that does one thing after another, and does not keep the process from ending."""

    def __init__(self, name: str) -> None:
        self._work: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        threading.Thread(target=self._run, name=name, daemon=True).start()

    def _run(self) -> None:
        while True:
            self._work.get()()

    def submit(self, call: Callable[[], T]) -> Future[T]:
        """The result of a call, once its turn has come; a future that is cancelled before is not computed."""
        future: Future[T] = Future()

        def work() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(call())
            except BaseException as error:
                future.set_exception(error)

        self._work.put(work)
        return future


class TrainingSearch:
    """The training data of runs, by their folders. One thread reads data, another searches: none waits for a model."""

    def __init__(self) -> None:
        self._reader, self._searcher = Background("play-training-data"), Background("play-training-search")
        self._read: dict[Path, Future[SearchableTraining]] = {}

    def of(self, run: Path) -> Future[SearchableTraining]:
        """The data of a run, which is read unless it is there; what failed is tried again."""
        known = self._read.get(run)
        if known is None or (known.done() and known.exception() is not None):
            self._read.pop(run, None)
            if len(self._read) >= KEPT:
                del self._read[next(iter(self._read))]
            known = self._read[run] = self._reader.submit(lambda: searchable_training(run))
        return known

    async def search(self, training: SearchableTraining, model: PlayedModel, text: str) -> Mapping[str, Any]:
        """See `SearchableTraining.search`; cancelling it before its turn leaves it undone."""
        return await asyncio.wrap_future(self._searcher.submit(lambda: training.search(model.predictor, text)))


@dataclass(frozen=True)
class TextSeen:
    """What of a text appears in the training data of a model, as events: `reading` while it is read, then `seen`."""

    model: PlayedModel
    training: TrainingSearch
    text: str

    async def put_into(self, events: asyncio.Queue[bytes]) -> None:
        """Puts the events into a queue, and b"" after the last. An error is an event, too, and the last."""
        try:
            await self._put(events)
        except InputError as error:
            await events.put(sent({"event": "unseen", "message": str(error)}, self.model.name))
        except Exception as error:  # data files may hold anything
            log.exception("the training data of %s could not be searched", self.model.name)
            message = f"its training data could not be read: {type(error).__name__}"
            await events.put(sent({"event": "unseen", "message": message}, self.model.name))
        await events.put(b"")

    async def _put(self, events: asyncio.Queue[bytes]) -> None:
        if self.model.run is None:
            raise InputError(UNKNOWN)
        reading = self.training.of(self.model.run)
        if not reading.done():
            await events.put(sent({"event": "reading"}, self.model.name))
        # Whoever goes does not stop the reading, for which others may wait.
        training = await asyncio.shield(asyncio.wrap_future(reading))
        found = await self.training.search(training, self.model, self.text)
        await events.put(sent({"event": "seen", **found}, self.model.name))
