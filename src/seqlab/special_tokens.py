"""The four ids that mean the same in every vocabulary."""

PAD, BOS, EOS, UNK = 0, 1, 2, 3
SPECIALS = 4
"""Number of special tokens; the symbols of a vocabulary begin at this id."""
