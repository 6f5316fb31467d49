"""Parts of models: embeddings, recurrent layers, attention, caches. Nothing here depends on a whole model."""
