"""What watches a run and acts on it: checkpoints, averages, measurements, progress."""
