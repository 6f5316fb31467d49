"""Many runs of `seqlab-train`: side by side, continued by the same line, listed and cleaned."""
