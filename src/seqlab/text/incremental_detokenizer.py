"""Text that comes token by token."""

from __future__ import annotations

from collections.abc import Sequence

from seqlab.text.tokenizers import Tokenizer

HALF = "\N{REPLACEMENT CHARACTER}"
"""How bytes that are not yet a whole character are decoded."""

KNOWN = 256
"""Tokens before the next that decide on the space between: quotation marks open or close by how many came before."""


def text_after(tokenizer: Tokenizer, before: Sequence[int], ids: Sequence[int]) -> str:
    """The text of `ids` where they stand after others: with the space in between, if there is one."""
    known, text = tokenizer.decode(before), tokenizer.decode([*before, *ids])
    if not text.startswith(known):
        known = known.rstrip(HALF)  # what was half a character is a whole one now
    return text[len(known) :]


class GrowingText:
    """Tells the text of tokens as soon as no later token can change it: whole characters, and the spaces between.

    Args:
        before: what the tokens follow.
    """

    def __init__(self, tokenizer: Tokenizer, before: Sequence[int] = ()) -> None:
        self._tokenizer = tokenizer
        self._told, self._waiting = list(before), list[int]()

    def add(self, token: int) -> str:
        """What there is to tell after one more token: perhaps nothing yet."""
        self._waiting.append(token)
        text = self.rest()
        if not text or text.endswith(HALF):  # which may yet become a character
            return ""
        self._told, self._waiting = [*self._told, *self._waiting][-KNOWN:], []
        return text

    def rest(self) -> str:
        """What was not told yet, should no more tokens follow."""
        return text_after(self._tokenizer, self._told, self._waiting)
