"""Text and token ids: tokenizers and readers of files. Nothing here imports torch."""
