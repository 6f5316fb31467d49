"""Addresses of storages. Their passwords are kept out of files, logs and messages.

Applications import this at every start, so it needs neither Optuna nor torch.
"""

from __future__ import annotations

import re
from urllib.parse import quote, quote_plus, unquote, unquote_plus

from omegaconf import DictConfig, OmegaConf, read_write

from hydra_pruning_sweeper.study.trial_command import name_of

SETTING = "hydra.sweeper.storage"
HIDDEN = "…"
FILES = ("sqlite",)
"""Kinds of database that are a file on this machine."""
SEPARATORS = re.compile(r"[@:/?&=#\s]+")
IN_TEXT = re.compile(r"[A-Za-z][\w+.-]*://.*[@?].*")
"""An address and the rest of its line, since a password may contain white space and quotes."""


def shown(address: str) -> str:
    """An address without anything that may be a password: what precedes `@`, except the user's name, and follows `?`.

    A password may contain any character, even `@`, `?` and `/`. Where it is unclear what is password, all is hidden.
    """
    kind, separator, rest = address.partition("://")
    if not separator or not ("@" in rest or "?" in rest):
        return address
    before, at, host = rest.rpartition("@")
    if "?" in before:
        return f"{kind}://{HIDDEN}"
    host = re.sub(r"\?.*", f"?{HIDDEN}", host, flags=re.DOTALL)
    user, colon, _ = before.partition(":")
    return f"{kind}://{user}{f':{HIDDEN}' if colon else ''}{at}{host}"


def is_secret(address: str) -> bool:
    """Whether an address may hold a password."""
    return shown(address) != address


def is_remote(address: str) -> bool:
    """Whether an address names a server, not a file."""
    kind, separator, _ = address.partition("://")
    return bool(separator) and kind.partition("+")[0] not in FILES


def hidden(text: str, address: str = "") -> str:
    """A text without the passwords of the addresses in it, and without any part of the password of `address`."""
    if is_secret(address):
        text = text.replace(address, shown(address))
        for secret in _secrets(address):
            text = text.replace(secret, HIDDEN)
    return IN_TEXT.sub(lambda match: shown(match[0]), text)


def conceal(config: DictConfig) -> None:
    """Removes a storage's password from a configuration that is about to be written to files.

    An interpolation stays, since files hold it unresolved.
    """
    sweeper = OmegaConf.to_container(config.hydra.sweeper, resolve=False)
    address = sweeper.get("storage") if isinstance(sweeper, dict) else None
    if isinstance(address, str) and is_secret(address):
        with read_write(config.hydra):
            OmegaConf.update(config, SETTING, shown(address))
            typed = config.hydra.overrides.hydra
            config.hydra.overrides.hydra = [one for one in typed if name_of(str(one)) != SETTING]


def _secrets(address: str) -> list[str]:
    """All text of an address that may be a password or part of one: as written, decoded and encoded; longest first.

    Parts count, since a database driver that splits at an `@` within a password reports the rest as a host name.
    """
    rest = address.partition("://")[2]
    before = rest.rpartition("@")[0].partition(":")[2]
    values = re.findall(r"[?&][^=&]*=([^&]*)", rest)
    known = set(SEPARATORS.split(shown(address))) | set(re.findall(r"[?&]([^=&]*)=", rest))
    parts = [one for one in SEPARATORS.split(rest) if one not in known]
    forms = (str, unquote, unquote_plus, quote, quote_plus)
    secrets = {form(one) for one in (before, *values, *parts) for form in forms}
    return sorted((one for one in secrets if len(one) > 2), key=len, reverse=True)
