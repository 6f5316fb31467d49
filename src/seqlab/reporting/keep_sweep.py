"""`python -m seqlab.reporting.keep_sweep FOLDER outputs/reference/sweeps/NAME.json` keeps a sweep as a reference; for a
study in a database, give its address as a third argument.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from hydra_pruning_sweeper.atomic_files import write_atomically
from hydra_pruning_sweeper.errors import UsageError
from hydra_pruning_sweeper.messages import plural, printable
from seqlab.errors import InputError
from seqlab.runs.sweep_digest import digest_sweep
from seqlab.version import __version__


def main() -> None:
    """The command line."""
    from seqlab.code_hash import code
    from seqlab.training.provenance import commit

    try:
        if len(sys.argv) not in (3, 4):
            raise InputError("must be given a sweep's folder, a file to write and, of a database, its address")
        content = digest_sweep(Path(sys.argv[1]), *sys.argv[3:]) | {
            "seqlab": __version__,
            "commit": commit(),
            "code": code(),
        }
    except UsageError as error:
        print(f"error: {printable(str(error))}", file=sys.stderr)
        sys.exit(error.exit_code)
    write_atomically(Path(sys.argv[2]), json.dumps(content, indent=1) + "\n")
    print(printable(f"{plural(len(content['trials']), 'trial')} of {content['study']} kept in {sys.argv[2]}"))


if __name__ == "__main__":
    main()
