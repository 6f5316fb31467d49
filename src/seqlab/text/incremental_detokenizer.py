"""Decodes text that arrives token by token."""

from __future__ import annotations

from collections.abc import Sequence

from seqlab.text.tokenizers import Tokenizer

HALF = "\N{REPLACEMENT CHARACTER}"
"""What bytes that do not yet make a whole character decode to."""


def text_after(tokenizer: Tokenizer, before: Sequence[int], ids: Sequence[int]) -> str:
    """The text of `ids` after the tokens `before`, with the space between them if there is one."""
    known, text = tokenizer.decode(before), tokenizer.decode([*before, *ids])
    if not text.startswith(known):
        known = known.rstrip(HALF)  # the incomplete character is complete now
    return text[len(known) :]


class GrowingText:
    """Emits the text of tokens as soon as no later token can change it: whole characters, and the spaces between.

    Args:
        before: the tokens before the first one that is added, for example those of a prompt.
    """

    def __init__(self, tokenizer: Tokenizer, before: Sequence[int] = ()) -> None:
        self._tokenizer = tokenizer
        self._emitted, self._pending = list(before), list[int]()

    def add(self, token: int) -> str:
        """The text that becomes final with one more token; empty if there is none yet."""
        self._pending.append(token)
        text = self.rest()
        if not text or text.endswith(HALF):  # the next token may complete the character
            return ""
        self._emitted, self._pending = self._tokenizer.context([*self._emitted, *self._pending]), []
        return text

    def rest(self) -> str:
        """The text that was not emitted yet, in case no more tokens follow."""
        return text_after(self._tokenizer, self._emitted, self._pending)
