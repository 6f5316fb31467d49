"""Text as Hydra's override grammar quotes it."""

import re


def quoted(text: str) -> str:
    """`text` in Hydra's single quotes. It may contain anything: spaces, commas, quotes, brackets, `${`.

    Backslashes are escaped only before a quote or what looks like an interpolation.
    """
    text = re.sub(r"(\\*)\$\{", r"\1\1\\${", text)
    text = re.sub(r"(\\*)('|\Z)", lambda match: 2 * match[1] + ("\\'" if match[2] else ""), text)
    return f"'{text}'"
