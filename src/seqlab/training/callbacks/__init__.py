"""Callbacks of a run: checkpoints, weight averaging, evaluation by generating, monitors, progress."""
