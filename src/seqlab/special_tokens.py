"""The four ids that mean the same in every vocabulary."""

PAD, BOS, EOS, UNK = 0, 1, 2, 3
SPECIALS = 4
"""A vocabulary's own symbols follow from this id."""
