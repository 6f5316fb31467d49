from seqlab.runs.description import described
from seqlab.runs.result import RunResult


def test_every_change_on_the_way_counts_though_it_came_at_one_step():
    """A run that is interrupted before it goes on is resumed at the same step again."""
    first, second = ({"step": 7, "changed": {name: [1, 2]}} for name in ("optimizer.lr", "trainer.max_epochs"))
    histories = ([second], [first, second], [second, first])
    runs = [RunResult(name="a", seed=1, metrics={"val": {}}, resumed=resumed) for resumed in histories]
    assert len({described(run) for run in runs}) == 3
