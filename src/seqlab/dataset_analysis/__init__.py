"""Analysis of a dataset before training: its summary, cautions, leakage between splits, the copy-nearest baseline."""
