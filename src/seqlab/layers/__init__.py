"""Parts of models: embeddings, recurrent layers, attention. Nothing here knows a whole model."""
