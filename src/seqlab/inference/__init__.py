"""Trained models at work: bundles, predictions, generated text. Nothing here trains."""
