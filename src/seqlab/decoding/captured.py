"""Searches whose work for a token is captured: the decoder's step, the choice of tokens, and the outputs so far.

B rows, R rows or hypotheses, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from seqlab.cuda_graphs import CapturedWork, GraphPool
from seqlab.decoding.hypotheses import Selectable, Step

ASKS_EVERY = 8
"""Tokens after which the host asks whether all rows have finished."""


@runtime_checkable
class BoundedSearch(Protocol):
    """A search, of which captured work is kept as long as an equal search is called."""

    @property
    def max_length(self) -> int:
        """Tokens of the longest output."""
        ...

    @property
    def min_length(self) -> int:
        """Tokens of the shortest output."""
        ...


@runtime_checkable
class FixedStep(Protocol):
    """A decoder's step with its state in tensors that stay where they are."""

    def read(self, state: Any) -> None:
        """Copies a state into those tensors."""
        ...

    def prepare(self) -> None:
        """Is called before each token, and not captured."""
        ...

    def __call__(self, tokens: Int[Tensor, " R"]) -> Float[Tensor, "R V"]:
        """Logits of the next token; the state is that after `tokens` by then."""
        ...

    def select(self, rows: Int[Tensor, " R"]) -> None:
        """Reorders the state's rows, each of which comes from a row with the same source."""
        ...


@runtime_checkable
class SearchProgress(Protocol):
    """How far a search has come, in tensors that stay where they are."""

    last: Tensor

    def begin(self) -> None:
        """Forgets the search before."""
        ...

    def advance(self, logits: Tensor, step: FixedStep) -> Tensor:
        """Chooses the next tokens, `last`; whether all rows have finished. Nothing here waits for a value."""
        ...


Kept = TypeVar("Kept", bound=SearchProgress)


class CapturedSearch(Generic[Kept]):
    """A search on states of one form. Everything for a token is one captured work.

    Attributes:
        in_use: whether a search has begun and not ended, as a stream between two tokens: no other can use its tensors.
    """

    def __init__(self, step: FixedStep, progress: Kept, pool: GraphPool) -> None:
        self.progress = progress
        self._step = step
        self.in_use = False
        self._work = CapturedWork(self._token, pool, check=not pool.captured)

    def _token(self) -> tuple[Tensor]:
        return (self.progress.advance(self._step(self.progress.last), self._step),)

    def tokens(self, logits: Tensor, state: Any, count: int) -> Iterator[Tensor]:
        """Chooses up to `count` tokens, from the logits of the first one and the state before it; yields after each one
        whether all rows have finished.

        Raises:
            CaptureError: the work cannot be captured.
        """
        self.in_use = True
        try:
            self.progress.begin()
            self._step.read(state)
            yield self.progress.advance(logits, self._step)
            for _ in range(1, count):
                self._step.prepare()
                (done,) = self._work()
                yield done
        finally:
            self.in_use = False


@runtime_checkable
class CapturableStep(Step, Protocol):
    """A step function that can be captured, at least for some states."""

    @property
    def capturable(self) -> bool:
        """Whether it may still be: False after it was given up."""
        ...

    def search(
        self, search: BoundedSearch, rows: int, state: Any, make: Callable[[FixedStep, GraphPool], CapturedSearch[Any]]
    ) -> CapturedSearch[Any]:
        """What `make` made of this step for such a search, so many rows and such states, now or earlier.

        Raises:
            CaptureError: such states cannot be kept in buffers of fixed size.
        """
        ...

    def forget(self) -> None:
        """Gives back the memory of all that was made."""
        ...

    def give_up(self, reason: Exception) -> None:
        """Captured work is not to be tried again."""
        ...


def captured(
    search: BoundedSearch,
    step: Step,
    state: Selectable,
    start: Int[Tensor, " B"],
    begin: Callable[[], Kept],
    copies: int = 1,
) -> Kept | None:
    """The progress that a search, captured, has made in the end; None if it has to be done token by token.

    Args:
        begin: makes buffers for the progress.
        copies: hypotheses per row.
    """
    progress: Kept | None = None
    for count, (progress, done) in enumerate(captured_tokens(search, step, state, start, begin, copies), 1):
        if count == search.max_length or (count % ASKS_EVERY == 0 and count > search.min_length and bool(done)):
            return progress
    return None


def captured_tokens(
    search: BoundedSearch,
    step: Step,
    state: Selectable,
    start: Int[Tensor, " B"],
    begin: Callable[[], Kept],
    copies: int = 1,
) -> Iterator[tuple[Kept, Tensor]]:
    """Yields after each token of a captured search its progress, and whether all rows have finished.

    It ends early, before the first token or later, if the search cannot be captured or such a search is under way: it
    has to be done plainly then. The first token is decoded plainly anyway: a state has all that it holds after that.
    """
    if not (isinstance(step, CapturableStep) and step.capturable and torch.is_inference_mode_enabled()):
        return
    try:
        logits, state = step(start, state)
        if copies > 1:
            rows = torch.arange(len(start), device=start.device).repeat_interleave(copies)
            logits, state = logits.index_select(0, rows), state.select(rows)
        kept = step.search(search, len(logits), state, lambda fixed, pool: CapturedSearch(fixed, begin(), pool))
        for done in () if kept.in_use else kept.tokens(logits, state, search.max_length):
            yield kept.progress, done
    except torch.OutOfMemoryError:  # plainly, it takes less memory
        step.forget()
    except Exception as error:  # an architecture or a search of one's own may be anything; plainly, it tells its errors
        step.give_up(error)
