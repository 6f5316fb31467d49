"""What a model is made of: its structure, recorded while it reads a batch, and drawings of it."""
