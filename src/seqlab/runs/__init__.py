"""Finished runs: their folders are read, compared and summed up."""
