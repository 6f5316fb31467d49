"""Documents: finds files, reads them in parallel, caches their texts and cleans them."""

from seqlab.text.documents.cleaning import Cleaned, Cleaning
from seqlab.text.documents.collection import ROW_END, Collection, Document, RowDocument
from seqlab.text.documents.finding import Skipped
from seqlab.text.documents.processes import Limits
from seqlab.text.documents.reading import read_documents

__all__ = [
    "ROW_END",
    "Cleaned",
    "Cleaning",
    "Collection",
    "Document",
    "Limits",
    "RowDocument",
    "Skipped",
    "read_documents",
]
