"""How many jobs run at a time: pretended machines, whose jobs train at a pace and take memory as a formula says."""

import pytest

from hydra_pruning_sweeper.execution.slot_policy import CONTEXT_BYTES, FreeMemory, Sight, SlotPolicy

GB = 1e9


class Pretended:
    """A machine that does what the policy says, half a second after half second.

    Args:
        speed: steps per second of each of so many jobs that train on one GPU.
        size, reserved: bytes that a job takes of the machine's memory and of a GPU; None: it computes without a GPU.
        memory, gpu_memory: bytes that there are.
        starting: seconds before a job trains.
        length: seconds that a job trains.
        reports: whether jobs report their steps.
    """

    def __init__(self, policy, **how):
        self.policy, self.speed = policy, how.pop("speed", lambda jobs: 100.0)
        self.size, self.reserved = how.pop("size", GB), how.pop("reserved", 5 * GB)
        self.memory, self.gpu_memory = how.pop("memory", 500 * GB), how.pop("gpu_memory", 139 * GB)
        self.starting, self.length, self.reports = (
            how.pop("starting", 3.0),
            how.pop("length", 1e9),
            how.pop("reports", True),
        )
        self.factor, self.fails = how.pop("factor", lambda number: 1.0), how.pop("fails", False)
        assert not how
        self.running, self.begun, self.now, self.most_at_once, self.widths = {}, 0, 0.0, 0, []

    def advance(self, seconds):
        for _ in range(int(seconds * 2)):
            self.tick()
        return self

    def tick(self):
        self.now += 0.5
        while len(self.running) < self.policy.allowed():
            slot = min(set(range(len(self.running) + 1)) - {one["slot"] for one in self.running.values()})
            self.running[self.begun] = {"slot": slot, "age": 0.0, "steps": 0.0, "seconds": 0.0}
            self.begun += 1
        for number, one in self.running.items():
            one["age"] += 0.5
            if one["age"] > self.starting:
                one["seconds"] += 0.5
                one["steps"] += 0.5 * self.speed(len(self.on_gpu(self.gpu(one)))) * self.factor(number)
        self.most_at_once = max(self.most_at_once, len(self.running))
        self.policy.see(*self.sights())
        self.widths.append(self.policy.slots)
        for number in [one for one, state in self.running.items() if state["seconds"] >= self.length]:
            del self.running[number]
            self.policy.ended(number, not self.fails)

    def gpu(self, one):
        return one["slot"] % self.policy.gpus if self.policy.gpus else None

    def on_gpu(self, gpu):
        return [one for one in self.running.values() if self.gpu(one) == gpu and one["age"] > self.starting]

    def sights(self):
        sights, gpus = [], {}
        for number, one in self.running.items():
            gpu, trains = self.gpu(one), one["age"] > self.starting
            known = trains and self.reports
            device = self.reserved if known and gpu is not None else None
            if device is not None:
                gpus[gpu] = self.gpu_memory - len(self.on_gpu(gpu)) * (self.reserved + CONTEXT_BYTES)
            steps, seconds = (int(one["steps"]), one["seconds"]) if known else (None, 0.0)
            sights.append(Sight(number, gpu, one["age"], steps, seconds, self.size if trains else 0.0, device))
        return sights, FreeMemory(self.memory - sum(one.memory for one in sights), gpus)


def flat(total):
    """All jobs of a GPU share what one alone achieves, from so many on."""
    return lambda jobs: 100.0 * min(1.0, total / max(1, jobs))


@pytest.mark.parametrize(
    ("total", "slots", "tried", "reason"),
    [
        (1.0, 1, 2, "2 at a time are no faster"),
        (1.05, 1, 2, "2 at a time are only 5% faster"),
        (2.0, 2, 4, "4 at a time are no faster"),
        (5.0, 8, 16, "16 at a time are no faster"),
        (100.0, 16, 16, "no core is left"),
    ],
)
def test_on_a_gpu_slots_are_doubled_while_that_makes_all_together_faster(total, slots, tried, reason):
    machine = Pretended(SlotPolicy(16, 1, 99), speed=flat(total), reserved=1 * GB).advance(120)
    assert (machine.policy.slots, max(machine.widths), machine.policy.reason) == (slots, tried, reason)
    assert machine.widths == sorted(machine.widths) or slots < tried  # nothing is taken back but the last step


def test_the_first_trial_runs_alone_until_it_is_measured():
    machine = Pretended(SlotPolicy(16, 1, 99), speed=flat(100.0)).advance(5)
    assert machine.most_at_once == 1
    assert machine.advance(5).most_at_once == 2


def test_trials_of_other_settings_are_compared_with_themselves():
    """All but the first are far slower, but none slows another down."""
    machine = Pretended(SlotPolicy(16, 1, 99), speed=flat(100.0), factor=lambda number: 0.01 if number else 1.0)
    assert machine.advance(200).policy.slots == 16


@pytest.mark.parametrize(("gpu_memory", "slots"), [(139 * GB, 16), (30 * GB, 4), (8 * GB, 1)])
def test_the_memory_of_a_gpu_is_not_overfilled(gpu_memory, slots):
    machine = Pretended(SlotPolicy(16, 1, 99), speed=flat(100.0), gpu_memory=gpu_memory).advance(120)
    assert machine.most_at_once == machine.policy.slots == slots
    assert machine.policy.reason == ("no core is left" if slots == 16 else "no memory is left")


def test_the_memory_of_the_machine_is_not_overfilled_on_a_gpu_either():
    machine = Pretended(SlotPolicy(16, 1, 99), speed=flat(100.0), size=4 * GB, memory=15 * GB).advance(120)
    assert machine.most_at_once == machine.policy.slots == 3


def test_other_gpus_get_as_many_each():
    machine = Pretended(SlotPolicy(64, 4, 99), speed=flat(2.0)).advance(3)
    assert machine.most_at_once == 4
    machine.advance(120)
    assert machine.policy.slots == 8
    machine = Pretended(SlotPolicy(11, 4, 99), speed=flat(100.0)).advance(120)
    assert machine.policy.slots == 8  # eleven cores are not enough for three each
    assert sorted(one["slot"] % 4 for one in machine.running.values()) == [0, 0, 1, 1, 2, 2, 3, 3]
    assert Pretended(SlotPolicy(2, 4, 99)).advance(60).policy.slots == 2


def test_trials_that_end_before_they_are_measured_get_what_cores_and_memory_allow():
    machine = Pretended(SlotPolicy(6, 1, 99), length=1.0).advance(6)
    assert (machine.policy.slots, machine.policy.reason) == (6, "too short to be measured; no core is left")


def test_a_trial_that_fails_at_once_shows_nothing():
    machine = Pretended(SlotPolicy(6, 1, 99), length=1.0, fails=True).advance(60)
    assert (machine.policy.slots, machine.policy.reason) == (1, None)


def test_short_trials_are_measured_one_after_another():
    """Never do all of them train at the same time."""
    machine = Pretended(SlotPolicy(16, 1, 99), speed=flat(2.0), starting=6.0, length=5.0).advance(200)
    assert machine.policy.slots in (2, 4)
    assert machine.policy.reason


def test_a_trial_that_reports_nothing_keeps_its_gpu_for_itself():
    machine = Pretended(SlotPolicy(16, 2, 99), reports=False, length=10.0).advance(60)
    assert (machine.policy.slots, machine.policy.reason) == (2, "none reports its steps")


def test_what_is_resumed_is_measured_from_its_own_beginning():
    """A trial dies while it is measured, and goes on with its steps counted anew."""
    policy = SlotPolicy(16, 1, 99)
    free = FreeMemory(99 * GB, {0: 99 * GB})
    for seconds in (0.5, 1.5, 2.5):
        policy.see([Sight(0, 0, seconds, int(100 * seconds), seconds, GB, GB)], free)
    policy.ended(0, well=False)
    for seconds in (0.5, 3.0, 4.0):
        policy.see([Sight(0, 0, seconds, int(100 * seconds), seconds, GB, GB)], free)
    assert policy.slots == 1
    policy.see([Sight(0, 0, 5.5, 550, 5.5, GB, GB)], free)
    assert policy.slots == 2


def test_what_was_resumed_at_its_very_end_shows_nothing():
    policy = SlotPolicy(16, 1, 99)
    policy.see([Sight(0, 0, 2.0, 0, 0.0, GB, GB)], FreeMemory(99 * GB, {0: 99 * GB}))
    policy.ended(0, well=True)
    assert policy.reason is None


@pytest.mark.parametrize(
    ("memory", "most", "slots", "reason"),
    [
        (500 * GB, 99, 8, "no core is left"),
        (6 * GB, 99, 2, "no memory is left"),
        (1 * GB, 99, 1, "no memory is left"),
        (500 * GB, 3, 3, "no more to run"),
    ],
)
def test_without_a_gpu_cores_and_memory_decide_at_once(memory, most, slots, reason):
    machine = Pretended(SlotPolicy(8, 0, most), size=2 * GB, memory=memory).advance(3)
    assert machine.most_at_once == 1
    machine.advance(5)
    assert (machine.most_at_once, machine.policy.slots, machine.policy.reason) == (slots, slots, reason)


def test_trials_that_do_not_use_the_gpu_that_is_there_are_not_tried_out():
    machine = Pretended(SlotPolicy(8, 1, 99), reserved=None).advance(6)
    assert (machine.policy.slots, machine.policy.reason) == (8, "no core is left")


def test_without_a_gpu_silent_trials_are_waited_for_a_minute():
    machine = Pretended(SlotPolicy(8, 0, 99), reports=False).advance(59)
    assert machine.policy.slots == 1
    assert machine.advance(3).policy.slots == 8
    assert Pretended(SlotPolicy(8, 0, 99), reports=False, length=5.0).advance(10).policy.slots == 8


def test_a_larger_trial_lets_fewer_begin():
    policy = SlotPolicy(8, 0, 99)
    policy.see([Sight(0, None, 3.0, 100, 2.0, 1 * GB)], FreeMemory(9 * GB))
    assert policy.allowed() == 8
    jobs = [Sight(number, None, 9.0, 100, 9.0, 1 * GB) for number in range(7)]
    policy.see([*jobs, Sight(7, None, 9.0, 100, 9.0, 4 * GB)], FreeMemory(6 * GB))
    policy.ended(0, well=True)
    assert (policy.slots, policy.allowed()) == (8, 7)  # what runs goes on, and nothing begins for what has ended


def test_without_known_memory_the_cores_decide():
    policy = SlotPolicy(8, 0, 99)
    policy.see([Sight(0, None, 3.0, 100, 2.0)], FreeMemory())
    assert policy.allowed() == 8
    assert policy.line(None, None, "trial") == "8 slots: 8 cores, no core is left"


def test_the_line_says_what_was_decided_and_from_what():
    machine = Pretended(SlotPolicy(16, 1, 99), speed=flat(4.0), reserved=5.1 * GB).advance(120)
    assert machine.policy.line(139.0 * GB, 128 * GB, "trial") == (
        "4 slots on one GPU: a trial takes 6.1 GB of 139 on its GPU and 1.0 GB of 128 of main memory, 16 cores,"
        " 8 at a time are no faster"
    )
    machine = Pretended(SlotPolicy(1, 0, 99)).advance(10)
    assert machine.policy.line(None, 20 * GB, "run") == "1 slot: a run takes 1.0 GB of 20, 1 core, no core is left"
