"""Text as Hydra's override grammar quotes it."""

import re


def quoted(text: str) -> str:
    """Hydra's single quotes around `text`, which may hold anything: spaces, commas, quotes, brackets, `${`.

    Backslashes count only before a quote or what looks like a reference.
    """
    text = re.sub(r"(\\*)\$\{", r"\1\1\\${", text)
    text = re.sub(r"(\\*)('|\Z)", lambda found: 2 * found[1] + ("\\'" if found[2] else ""), text)
    return f"'{text}'"
