"""How warnings look on the screen; conf/hydra/job_logging names this."""

import logging

from hydra_pruning_sweeper.messages import error_lines


class WarningLines(logging.Formatter):
    """Writes each message behind its level, in lines that fit the terminal."""

    def format(self, record: logging.LogRecord) -> str:
        """The lines of a message; a traceback below it stays as it is."""
        text, _, traceback = super().format(record).partition("\n")
        lines = error_lines(text, record.levelname.lower())
        return f"{lines}\n{traceback}" if traceback else lines
