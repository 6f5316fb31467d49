"""Captured work off a GPU, where all but the graph itself is as on one."""

import pytest
import torch

from seqlab.cuda_graphs import ByShape, CapturedWork, CaptureError, GraphPool

CPU = torch.device("cpu")


class Work:
    """Doubles what its buffer holds, and counts how often."""

    def __init__(self, error=None):
        self.buffer, self.times, self.error = torch.zeros(3), 0, error

    def __call__(self):
        self.times += 1
        return (2 * self.buffer,)


def test_each_call_reads_the_buffer_anew_and_does_the_work_once():
    work, pool = Work(), GraphPool(CPU)
    captured = CapturedWork(work, pool)
    for call in range(1, 5):
        work.buffer.fill_(call)
        (output,) = captured()
        assert output.tolist() == [2 * call] * 3
        assert work.times == call
        assert captured.captured == (call > 1)
        assert pool.captured == (call > 1)


def test_work_that_is_checked_is_done_eagerly_twice():
    work, pool = Work(), GraphPool(CPU)
    checks, eagerly = [], pool.eagerly
    pool.eagerly = lambda work, check: checks.append(check) or eagerly(work, check)
    captured = CapturedWork(work, pool, check=True)
    for _ in range(4):
        captured()
    assert checks == [False, True]
    assert (work.times, pool.captured) == (4, 1)


def test_work_that_fails_its_check_says_so():
    work, pool = Work(), GraphPool(CPU)
    captured = CapturedWork(work, pool, check=True)
    captured()

    def refuse(work, check):
        raise CaptureError("called a synchronizing CUDA operation")

    pool.eagerly = refuse
    with pytest.raises(CaptureError, match="synchronizing"):
        captured()
    assert pool.captured == 0


def test_a_replay_overwrites_the_outputs_of_the_one_before_as_a_graph_does():
    work = Work()
    captured = CapturedWork(work, GraphPool(CPU))
    captured()
    (first,) = captured()
    work.buffer.fill_(7)
    (second,) = captured()
    assert first is second
    assert first.tolist() == [14] * 3


def test_work_that_cannot_be_captured_says_so_and_has_not_been_done():
    work, pool = Work(), GraphPool(CPU)
    captured = CapturedWork(work, pool)
    captured()

    def refuse(work):
        raise CaptureError("operation not permitted when stream is capturing")

    pool.capture = refuse
    with pytest.raises(CaptureError, match="not permitted"):
        captured()
    assert work.times == 1


def test_of_too_many_shapes_the_one_used_longest_ago_makes_room():
    kept = ByShape(limit=2)
    made = []

    def use(shape):
        return kept.get(shape, lambda: made.append(shape) or object())

    first = use("a")
    use("b")
    assert use("a") is first
    use("c")
    assert use("a") is first
    use("b")
    assert made == ["a", "b", "c", "b"]
    assert (len(kept), len(made)) == (2, 4)
