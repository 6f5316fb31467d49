"""How fast seqlab is beside what a user would pick instead: `make bench`, or `make bench ONLY=bahdanau`."""
