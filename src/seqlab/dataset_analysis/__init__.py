"""What can be said of a dataset before anything is trained on it."""
