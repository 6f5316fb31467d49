"""How a run ends when the machine is too small for it."""

import csv
import functools
import resource

import pytest
from processes import forked, unwrapped

SETTINGS = ["data=reversal", "data.samples=40", "model.width=64", "model.embedding=8", "trainer=cpu"]


def train(folder, *arguments, **options):
    return forked(folder, *SETTINGS, "trainer.max_epochs=1", *arguments, **options)


def error_of(done, code):
    """The one line on standard error."""
    assert done.returncode == code, done.stderr
    (line,) = unwrapped(done.stderr).strip().splitlines()
    return line


def test_a_full_disk_ends_with_one_line_and_nothing_half_written(tmp_path):
    limit = 60_000  # bytes a file: enough for logs, too little for a checkpoint
    small = functools.partial(resource.setrlimit, resource.RLIMIT_FSIZE, (limit, limit))
    done = train(tmp_path, "hydra.run.dir=run", before=small)
    assert "file too large" in error_of(done, 2).lower()
    assert list((tmp_path / "run").rglob("*.ckpt")) == []
    assert not (tmp_path / "run/result.json").exists()


@pytest.mark.parametrize("kind", ["torch", "allocator"])
def test_no_memory_left_says_which_setting_to_lower(tmp_path, kind):
    done = train(tmp_path, "+callbacks.hungry._target_=signals.Hungry", f"+callbacks.hungry.kind={kind}")
    assert "out of memory: lower data.batch_size (64)" in error_of(done, 1)


def test_what_is_logged_every_few_steps_is_of_those_steps(tmp_path):
    def rows(every):
        settings = ["data.batch_size=2", "trainer.max_epochs=2", f"trainer.log_every_n_steps={every}"]
        done = train(tmp_path, *settings, f"hydra.run.dir=run{every}")
        assert done.returncode == 0, done.stderr
        with (tmp_path / f"run{every}/metrics.csv").open(newline="") as file:
            return {
                int(row["step"]): (row["train/step_loss"], row["train/gradient_norm"])
                for row in csv.DictReader(file)
                if row["train/step_loss"]
            }

    all_steps = rows(1)
    assert sorted(all_steps) == list(range(20))
    assert rows(3) == {step: all_steps[step] for step in (2, 5, 8, 11, 14, 17)}


def test_a_run_without_an_end_says_so(tmp_path):
    stop = ["+callbacks.signal._target_=signals.SendSignal", "+callbacks.signal.name=SIGINT"]
    stop += ["+callbacks.signal.step=3", f"+callbacks.signal.marker={tmp_path}/sent"]
    done = train(tmp_path, "trainer.max_epochs=-1", *stop)
    assert "no end set" in done.stdout
    error_of(done, 130)
