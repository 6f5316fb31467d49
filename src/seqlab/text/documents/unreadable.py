"""The error that readers raise for a file that they cannot read."""


class UnreadableError(Exception):
    """A file has no readable text; the message is the reason, without the file's name."""
