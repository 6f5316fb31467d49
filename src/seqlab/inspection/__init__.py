"""The structure of a model, recorded while it reads a batch, as a table and as a drawing."""
