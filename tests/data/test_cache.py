import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from seqlab.data import cache
from seqlab.data.cache import cached, key_of

HALF_BUILT = """
import sys, time
from pathlib import Path
from seqlab.data.cache import cached

def build(folder):
    (folder / "part").write_text("half")
    print("building", flush=True)
    time.sleep(600)

cached(Path(sys.argv[1]), build)
"""


def write(folder: Path, text: str = "whole") -> None:
    (folder / "part").write_text(text)


def test_a_folder_is_built_once(tmp_path):
    folder = tmp_path / "deep" / "cache"
    assert cached(folder, write) == folder
    assert cached(folder, lambda _: pytest.fail("built again")) == folder
    assert (folder / "part").read_text() == "whole"
    assert list(folder.parent.iterdir()) == [folder]


@pytest.mark.parametrize("error", [ValueError, OSError, KeyboardInterrupt])
def test_a_builder_that_fails_leaves_nothing_and_its_error_is_raised(tmp_path, error):
    def build(folder: Path) -> None:
        write(folder, "half")
        raise error("no more")

    with pytest.raises(error, match="no more"):
        cached(tmp_path / "cache", build)
    assert list(tmp_path.iterdir()) == []
    assert (cached(tmp_path / "cache", write) / "part").read_text() == "whole"


def test_two_builders_at_once_leave_one_whole_folder(tmp_path):
    both_are_building = threading.Barrier(2, timeout=30)
    answers: list[Path] = []

    def race(name: str) -> None:
        def build(folder: Path) -> None:
            write(folder, name)
            both_are_building.wait()
            (folder / "other").write_text(name)

        answers.append(cached(tmp_path / "cache", build))

    threads = [threading.Thread(target=race, args=(name,)) for name in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [tmp_path / "cache"] * 2
    assert list(tmp_path.iterdir()) == [tmp_path / "cache"]
    assert sorted(path.name for path in answers[0].iterdir()) == ["other", "part"]
    assert (answers[0] / "other").read_text() == (answers[0] / "part").read_text()


def test_a_killed_builder_leaves_no_folder_and_the_next_call_builds_it(tmp_path):
    folder = tmp_path / "cache"
    with subprocess.Popen([sys.executable, "-c", HALF_BUILT, str(folder)], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "building\n"
        os.kill(child.pid, signal.SIGKILL)
        assert child.wait() == -signal.SIGKILL
    assert not folder.exists()
    assert (cached(folder, write) / "part").read_text() == "whole"


def test_a_key_depends_on_every_setting_but_not_on_their_order():
    key = key_of(a=1, b={"c": [1, 2], "d": None})
    assert key == key_of(b={"d": None, "c": [1, 2]}, a=1)
    others = [key_of(a=2, b={"c": [1, 2], "d": None}), key_of(a=1, b={"c": [2, 1], "d": None}), key_of(a=1, b={})]
    assert len({key, *others}) == 4


def test_other_code_makes_another_key(monkeypatch):
    key = key_of(a=1)
    monkeypatch.setattr(cache, "_code", lambda: "other code")
    assert key_of(a=1) != key


def test_a_key_is_a_short_name_for_a_file():
    assert key_of(text="é" * 999, path="../..").isalnum()
    assert len(key_of(text="é" * 999)) == 16
