"""A finished run's folder as one small dict: what reports are made of."""

from seqlab.reporting.digests.making import digest, digests
from seqlab.reporting.digests.significance import significance

__all__ = ["digest", "digests", "significance"]
