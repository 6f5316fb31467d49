"""A finished run's folder as one small dict: what reports are made of."""

from seqlab.reporting.digests.digest import digest

__all__ = ["digest"]
