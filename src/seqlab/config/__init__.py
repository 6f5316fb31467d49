"""From a composed Hydra configuration to objects: what a run, a prediction or a description is built from."""
