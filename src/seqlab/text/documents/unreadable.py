"""What a reader says of a file that it cannot read."""


class UnreadableError(Exception):
    """A file holds no text that can be read; the message is the reason, without the file's name."""
