"""Modules that only a part of seqlab needs, and the extra that installs each: `pip install "seqlab[EXTRA]"`."""

from seqlab.errors import InputError

EXTRAS = {
    **dict.fromkeys(("bs4", "charset_normalizer", "docx", "lxml", "nbformat", "pptx"), "documents"),
    **dict.fromkeys(("pylatexenc", "pypdfium2"), "documents"),
    **dict.fromkeys(("jinja2", "markupsafe", "matplotlib"), "report"),
    **dict.fromkeys(("starlette", "uvicorn"), "play"),
    "optuna_dashboard": "dashboard",  # a command, which nothing imports
}


def install_line(module: str) -> str:
    """The line that installs the extra of `module`."""
    return f'pip install "seqlab[{EXTRAS[module]}]"'


def not_installed(error: ModuleNotFoundError, what: str) -> InputError | None:
    """The error that says how to install the missing module; None if no extra contains it.

    Args:
        what: the file or command that needs it.
    """
    module = (error.name or "").partition(".")[0]
    if module not in EXTRAS:
        return None
    return InputError(f"{what} needs {module}, which is not installed; type {install_line(module)}")
