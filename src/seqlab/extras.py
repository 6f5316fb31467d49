"""Modules that only a part of seqlab needs, the extra that contains each, and the line that installs an extra."""

import shlex

from hydra_pruning_sweeper.installing import install
from hydra_pruning_sweeper.quoting import typed_path
from seqlab import paths
from seqlab.errors import InputError

EXTRAS = {
    **dict.fromkeys(("bs4", "charset_normalizer", "docx", "lxml", "nbformat", "pptx"), "documents"),
    **dict.fromkeys(("pylatexenc", "pypdfium2"), "documents"),
    **dict.fromkeys(("jinja2", "markupsafe", "matplotlib"), "report"),
    **dict.fromkeys(("pyarrow", "zstandard"), "tables"),
    **dict.fromkeys(("datasets", "huggingface_hub"), "hub"),
    **dict.fromkeys(("starlette", "uvicorn"), "play"),
    "optuna_dashboard": "dashboard",  # a command, which nothing imports
}


def install_line(module: str) -> str:
    """The line that installs the extra of `module`."""
    return install_extra(EXTRAS[module])


def install_extra(extra: str) -> str:
    """The line that installs an extra: in a clone, of the clone."""
    clone = paths.checkout()
    if clone is None:
        return install(f'"seqlab[{extra}]"')
    folder = str(typed_path(clone))
    named = f'".[{extra}]"' if folder == "." else shlex.quote(f"{folder}[{extra}]")
    return install(f"-e {named}")


def not_installed(error: ModuleNotFoundError, what: str) -> InputError | None:
    """The error that says how to install the missing module; None if no extra contains it.

    Args:
        what: the file or command that needs it.
    """
    module = (error.name or "").partition(".")[0]
    if module not in EXTRAS:
        return None
    return InputError(f"{what} needs {module}, which is not installed; type {install_line(module)}")
