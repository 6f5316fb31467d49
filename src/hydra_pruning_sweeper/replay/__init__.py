"""Search methods compared on recorded learning curves, without any training."""
