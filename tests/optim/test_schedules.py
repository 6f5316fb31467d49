"""Learning rates against the papers' formulas, written out step by step."""

import functools
import math

import pytest
import torch
from omegaconf import OmegaConf
from support import ROOT

from seqlab.config.component import Component
from seqlab.optim.schedules import Plateau, cosine, inverse_sqrt


def optimizer(rate=0.3):
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=rate)


def rates(schedule, steps, rate=0.3):
    """The rates with which the optimizer makes its first steps."""
    own = optimizer(rate)
    scheduler = schedule(own)
    found = []
    for _ in range(steps):
        found.append(own.param_groups[0]["lr"])
        own.step()
        scheduler.step()
    return found


def test_inverse_sqrt_equals_the_papers_formula():
    width, warmup = 512, 7
    found = rates(functools.partial(inverse_sqrt, warmup=warmup), 31, rate=(width * warmup) ** -0.5)
    assert found == pytest.approx([width**-0.5 * min(n**-0.5, n * warmup**-1.5) for n in range(1, 32)], rel=1e-12)


@pytest.mark.parametrize("warmup", [5, 5 / 23])
def test_cosine_rises_in_a_line_and_falls_along_a_cosine(warmup):
    found = rates(functools.partial(cosine, total_steps=23, warmup=warmup, floor=0.2), 26)
    assert found[:5] == pytest.approx([0.06, 0.12, 0.18, 0.24, 0.3])
    angles = [math.pi * k / 18 for k in range(1, 19)]
    assert found[5:23] == pytest.approx([0.3 * (0.2 + 0.8 * 0.5 * (1 + math.cos(angle))) for angle in angles])
    assert found[22:] == pytest.approx([0.06] * 4)  # a run that goes on beyond its end


def test_cosine_without_warm_up_begins_near_the_top():
    assert rates(functools.partial(cosine, total_steps=1000, warmup=0), 1)[0] == pytest.approx(0.3, rel=1e-5)


@pytest.mark.parametrize(
    ("schedule", "settings", "message"),
    [
        (inverse_sqrt, {"warmup": 0}, "warmup must be at least 1, but is 0"),
        (cosine, {"warmup": 1.5}, "warmup must be a number of steps, or a share of them below 1, but is 1.5"),
        (cosine, {"warmup": -1}, "warmup must be a number of steps"),
        (cosine, {"warmup": 23}, "warmup must be shorter than the run of 23 steps, but is 23"),
        (cosine, {"floor": 1.1}, "floor must be 0 to 1, but is 1.1"),
    ],
)
def test_what_a_schedule_cannot_do_is_refused(schedule, settings, message):
    total = {"total_steps": 23} if schedule is cosine else {}
    with pytest.raises(ValueError, match=message):
        schedule(optimizer(), **total, **settings)


def test_plateau_halves_the_rate_when_nothing_improves():
    own = optimizer()
    scheduler = Plateau(own, monitor="val/loss", factor=0.5, patience=1)
    found = []
    for loss in (3.0, 2.0, 2.0, 2.0, 1.0, 1.5, 1.0):
        scheduler.step(loss)
        found.append(own.param_groups[0]["lr"])
    assert found == pytest.approx([0.3, 0.3, 0.3, 0.15, 0.15, 0.15, 0.075])


def configured(name):
    """The schedule of conf/scheduler/<name>.yaml, ready for an optimizer."""
    config = OmegaConf.create(
        {
            "scheduler": OmegaConf.load(ROOT / f"conf/scheduler/{name}.yaml"),
            "optimizer": {"lr": 0.3},
            "callbacks": {"saver": {"monitor": "val/loss", "mode": "min"}},
        }
    )
    schedule = Component.of(config.scheduler, "scheduler").build()
    return functools.partial(schedule, total_steps=11) if name in ("one_cycle", "cosine") else schedule


LOSSES = [3.0, 3.0, 2.0, 2.5, 2.5, 2.5, 2.5, 2.5, 2.5, 2.5]
NAMES = [path.stem for path in (ROOT / "conf/scheduler").glob("*.yaml") if path.stem != "none"]


@pytest.mark.parametrize("name", NAMES)
def test_every_schedule_goes_on_from_its_stored_state(name, tmp_path):
    """The state is plain data, so that a checkpoint can be read without running code."""

    def go_on(own, scheduler, losses):
        found = []
        for loss in losses:
            own.step()
            scheduler.step(*([loss] if name == "plateau" else []))
            found.append(own.param_groups[0]["lr"])
        return found

    whole = optimizer()
    scheduler = configured(name)(whole)
    go_on(whole, scheduler, LOSSES[:4])
    torch.save([whole.state_dict(), scheduler.state_dict()], tmp_path / "state")
    expected = go_on(whole, scheduler, LOSSES[4:])
    assert len(set(expected)) > 1

    resumed = optimizer()
    scheduler = configured(name)(resumed)
    for one, state in zip((resumed, scheduler), torch.load(tmp_path / "state", weights_only=True), strict=True):
        one.load_state_dict(state)
    assert go_on(resumed, scheduler, LOSSES[4:]) == expected
