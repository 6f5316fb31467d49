"""`python -m seqlab.data.download` fetches the English–French deck of sentence pairs."""

from __future__ import annotations

import http.client
import sys
import tempfile
import urllib.request
from pathlib import Path

from tqdm import tqdm

from hydra_pruning_sweeper.messages import error_lines
from seqlab.data.anki import DOWNLOADED
from seqlab.errors import InputError, StoppedError
from seqlab.text.pairs import read_pairs
from seqlab.version import __version__

SOURCE = "https://www.manythings.org/anki/fra-eng.zip"
# The site refuses programs without a user agent, and Python's default one.
AGENT = f"Mozilla/5.0 (compatible; seqlab/{__version__})"


def download(source: str = SOURCE, target: Path = DOWNLOADED, timeout: float = 30) -> int:
    """Fetches `source` to `target`; `target` is written only if the file is complete and readable.

    Returns:
        The number of sentence pairs in it.

    Raises:
        InputError: no network, a refusal, an incomplete transfer, or a file without pairs.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    request = urllib.request.Request(source, headers={"User-Agent": AGENT})
    with tempfile.TemporaryDirectory(prefix=".download-", dir=target.parent) as folder:
        temporary = Path(folder) / target.name
        try:
            with urllib.request.urlopen(request, timeout=timeout) as response:
                size = int(response.headers.get("Content-Length") or 0)
                with (
                    temporary.open("wb") as file,
                    tqdm(total=size or None, unit="B", unit_scale=True, disable=None) as bar,
                ):
                    while chunk := response.read(1 << 16):
                        file.write(chunk)
                        bar.update(len(chunk))
        except (OSError, http.client.HTTPException) as error:
            raise InputError(
                f"{source}: could not be fetched ({getattr(error, 'reason', error)}). Without a network, fetch the"
                f" file elsewhere and save it as {target}, or name it: data=anki data.path=FILE"
            ) from None
        if size and temporary.stat().st_size < size:
            raise InputError(f"{source}: the transfer broke off at {temporary.stat().st_size:,} of {size:,} bytes")
        pairs = len(read_pairs(temporary))
        temporary.replace(target)
    return pairs


def main() -> None:
    """The command line."""
    if DOWNLOADED.is_file():
        print(f"{DOWNLOADED} exists already; delete it to fetch it again")
        return
    try:
        print(f"{download():,} sentence pairs in {DOWNLOADED}: seqlab-train data=anki uses them")
    except InputError as error:
        print(error_lines(str(error)), file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        sys.exit(StoppedError.exit_code)


if __name__ == "__main__":
    main()
