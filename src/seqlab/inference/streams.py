"""Models that continue a text, having been trained on blocks of a stream of tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from seqlab.checks import check_sizes
from seqlab.data.batch import Boundaries
from seqlab.decoding import Search
from seqlab.special_tokens import BOS

AnySearch = TypeVar("AnySearch", bound=Search)


@dataclass(frozen=True, kw_only=True)
class StreamFormat:
    """What a model has to know of the stream that it was trained on, to continue it.

    Args:
        boundaries: around which parts of the text BOS and EOS stand.
        length: tokens that the model was told at once, at most: its window.

    Raises:
        ValueError: `length` below 1.
    """

    boundaries: Boundaries
    length: int

    def __post_init__(self) -> None:
        check_sizes(length=self.length)

    def prompt(self, ids: Sequence[int]) -> list[int]:
        """The tokens to go on from: BOS before `ids` where the stream has it, and where there is nothing else."""
        return [*ids] if len(ids) and self.boundaries == "none" else [BOS, *ids]

    def search(self, search: AnySearch) -> AnySearch:
        """`search` for continuations: where the stream has no EOS, the model is not asked to tell it from others."""
        return replace(search, min_length=search.max_length) if self.boundaries == "none" else search
