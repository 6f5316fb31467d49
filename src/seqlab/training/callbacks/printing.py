"""Lines that are printed while there may be a progress bar."""

import sys

from tqdm import tqdm


def print_line(text: str) -> None:
    """Prints a line above the progress bar, if one is shown, and at once."""
    tqdm.write(text, file=sys.stdout)
    sys.stdout.flush()
