"""Inference with trained models: bundles, predictions, generated text. Nothing here trains."""
