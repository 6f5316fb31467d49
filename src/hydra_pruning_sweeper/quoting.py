"""What one types: a text as Hydra's override grammar quotes it, and a path from the working directory."""

import os
import re
from pathlib import Path


def quoted(text: str) -> str:
    """`text` in Hydra's single quotes. It may contain anything: spaces, commas, quotes, brackets, `${`.

    Backslashes are escaped only before a quote or what looks like an interpolation.
    """
    text = re.sub(r"(\\*)\$\{", r"\1\1\\${", text)
    text = re.sub(r"(\\*)('|\Z)", lambda match: 2 * match[1] + ("\\'" if match[2] else ""), text)
    return f"'{text}'"


def typed_path(path: Path) -> Path:
    """A path as one would type it here: relative if it is below the working directory."""
    absolute = Path(os.path.abspath(path))  # noqa: PTH100  # links stay as they are
    return absolute.relative_to(Path.cwd()) if absolute.is_relative_to(Path.cwd()) else absolute
