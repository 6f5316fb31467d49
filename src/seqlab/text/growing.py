"""Text that comes token by token."""

from __future__ import annotations

from collections.abc import Sequence

from seqlab.text.tokenizers import UNKNOWN, Tokenizer


def text_after(tokenizer: Tokenizer, before: Sequence[int], ids: Sequence[int]) -> str:
    """The text of `ids` where they stand after others: with the space in between, if there is one."""
    known, text = tokenizer.decode(before), tokenizer.decode([*before, *ids])
    if not text.startswith(known):
        known = known.rstrip(UNKNOWN)  # what was half a character is a whole one now
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
        if not text or text.endswith(UNKNOWN):  # which may yet become a character
            return ""
        # The tokens told last are all that the next need before them: a space is told from one token to the next.
        self._told, self._waiting = self._waiting, []
        return text

    def rest(self) -> str:
        """What was not told yet, should no more tokens follow."""
        return text_after(self._tokenizer, self._told, self._waiting)
