"""What is special about language models, which are trained on blocks of a token stream and continue a prompt."""

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
    """The format of the token stream that a model was trained on, which its prompts have to follow.

    Args:
        boundaries: which parts of the text are between BOS and EOS.
        length: the largest number of tokens in a training block: the model's window.

    Raises:
        ValueError: `length` is below 1.
    """

    boundaries: Boundaries
    length: int

    def __post_init__(self) -> None:
        check_sizes(length=self.length)

    def prompt(self, ids: Sequence[int]) -> list[int]:
        """The prompt's tokens: `ids`, after BOS if the stream has it or `ids` is empty."""
        return [*ids] if len(ids) and self.boundaries == "none" else [BOS, *ids]

    def search(self, search: AnySearch) -> AnySearch:
        """`search` for continuations: if the stream has no EOS, the model has not learnt it and must not choose it."""
        return replace(search, min_length=search.max_length) if self.boundaries == "none" else search
