"""A dataset of running text, for tests: as a plain stream, or as chunks that follow one another."""

from seqlab.data.batch import Examples, Ragged
from seqlab.data.module import SequenceData
from seqlab.text.tokenizers import CharacterTokenizer

TEXTS = {
    "train": (
        "The ferry leaves at seven. It is late today, for there is fog on the river, and the captain waits. Anna has"
        " put her bicycle against the rail and counts the gulls. When she has come to forty, the bell rings. A boy"
        " with a dog runs down the hill and is the last on board. Then the ropes are thrown, and the town grows small."
    ),
    "val": "The dog counts no gulls. It sleeps on the ropes until the bell rings, and then it is the first on land.",
    "test": "On the way back there is no fog, Anna stands at the rail, and the captain leaves the bell to the boy!",
}


class SmallText(SequenceData):
    """Characters of a small text, a few at a time.

    Args:
        length: characters of a chunk.
        context: so many characters before each chunk are its source; the chunk is a target like any other. With 0
            there are no sources, and targets are blocks of the stream: `length` + 1 ids without BOS and EOS, of which
            the first is the last of the block before.
    """

    def __init__(self, length=12, context=0, **loading):
        super().__init__(**loading)
        self.length, self.context = length, context

    def load(self):
        self.source_tokenizer = self.target_tokenizer = CharacterTokenizer.fit([TEXTS["train"]])
        cut = self._chunks if self.context else self._blocks
        self.examples = {split: cut(self.target_tokenizer.encode(text)) for split, text in TEXTS.items()}

    def _chunks(self, ids):
        starts = range(self.context, len(ids), self.length)
        return Examples.of((ids[at - self.context : at], ids[at : at + self.length]) for at in starts)

    def _blocks(self, ids):
        blocks = [ids[at : at + self.length + 1] for at in range(0, len(ids) - 1, self.length)]
        return Examples(Ragged.of([[] for _ in blocks]), Ragged.of(blocks))
