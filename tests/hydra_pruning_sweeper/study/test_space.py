"""Hydra's sweep syntax as a space; conditions; constraints; the baseline."""

import json

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from hydra_pruning_sweeper.errors import UsageError
from hydra_pruning_sweeper.study.space import UNSET, Space, parameter


@pytest.mark.parametrize(
    ("sweep", "distribution"),
    [
        ("interval(0, 2)", FloatDistribution(0, 2)),
        ("tag(log, interval(1e-4, 1e-2))", FloatDistribution(1e-4, 1e-2, log=True)),
        ("int(interval(1, 6))", IntDistribution(1, 6)),
        ("tag(log, int(interval(1, 64)))", IntDistribution(1, 64, log=True)),
        ("range(2, 11, 3)", IntDistribution(2, 8, step=3)),
        ("range(5)", IntDistribution(0, 4)),
        ("range(0.0, 1.0, 0.25)", FloatDistribution(0, 0.75, step=0.25)),
        ("choice(relu, 'two words', 3, 0.5, true)", CategoricalDistribution(["relu", "two words", 3, 0.5, True])),
        ("choice([1,2],[3])", CategoricalDistribution(["[1,2]", "[3]"])),
        ("gru, lstm", CategoricalDistribution(["gru", "lstm"])),
    ],
)
def test_a_sweep_becomes_a_distribution(sweep, distribution):
    assert parameter("model.width", sweep).distribution == distribution


@pytest.mark.parametrize(
    "sweep", ["3", "interval(2, 1)", "range(3, 3)", "choice(1, 1)", "interval(", "choice()", "tag(log, interval(0, 1))"]
)
def test_what_is_no_sweep_is_refused_with_its_name(sweep):
    with pytest.raises(UsageError, match=r"model\.width"):
        parameter("model.width", sweep)


@pytest.mark.parametrize(
    ("sweep", "match"),
    [
        ("tag(log, range(1, 9, 2))", "a range with a step cannot be logarithmic"),
        ("tag(log, range(0.1, 1.0, 0.1))", "a range with a step cannot be logarithmic"),
        ("tag(log, choice(1, 2))", "only an interval or a range can be logarithmic"),
        ("tag(lgo, interval(1, 2))", "the only tag is log, but there is lgo"),
        ("interval(0, inf)", "finite ends"),
        ("range(0, 10000000000)", "more than 10,000 values"),
        ("shuffle(range(start=0, stop=1e10))", "more than 10,000 values"),
        ("sort(range(0, 1, 1e-9))", "more than 10,000 values"),
        (f"choice({','.join(map(str, range(10_001)))})", "at most 20,000 characters"),
        ("choice(" + "[" * 9_000, "at most 20 levels of brackets"),
        ("glob(*)", "type the options as choice"),
    ],
)
def test_what_would_be_lost_or_too_large_is_refused(sweep, match):
    with pytest.raises(UsageError, match=match):
        parameter("model.width", sweep)


def test_a_range_of_whole_steps_may_be_logarithmic():
    assert parameter("x", "tag(log,range(1,9))").distribution == IntDistribution(1, 8, log=True)


@pytest.mark.parametrize(
    ("sweep", "value", "argument"),
    [
        ("choice([],[encoder])", OmegaConf.create([]), "x=[]"),
        ("choice([],[encoder,'a b'])", OmegaConf.create(["encoder", "a b"]), "x=[encoder,'a b']"),
        ("choice({a:1},{b:2})", OmegaConf.create({"b": 2}), "x={b:2}"),
        ("choice(null,0.5)", None, "x=null"),
        ("choice('null',0.5)", "null", "x='null'"),
        ("choice('[p,q]',y)", "[p,q]", "x='[p,q]'"),
        ('choice("[p,q]",y)', "[p,q]", "x='[p,q]'"),
        ("choice(1,2)", 2, "x=2"),
    ],
)
def test_lists_null_and_quoted_text_keep_their_baseline_and_their_kind(sweep, value, argument):
    space = Space([parameter("x", sweep)], (), {"x": value}.get)
    assert space.arguments(json.loads(json.dumps(space.baseline()))) == [argument]


@given(
    st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), min_size=1).filter(
        lambda word: word[0] not in "[{"
    )
)
def test_words_come_through_the_command_line_as_they_are(word):
    quoted = "'" + word.replace("\\", "\\\\").replace("'", "\\'") + "'"
    try:
        one = parameter("key", f"choice(x1,{quoted})")
    except UsageError:
        return  # Hydra's own grammar refuses it
    chosen = one.distribution.choices[1]
    (override,) = OverridesParser.create().parse_overrides(Space([one]).arguments({"key": chosen}))
    assert override.value() == chosen


def test_arguments_are_what_a_user_would_type():
    space = Space([parameter("+a.b", "interval(0,1)"), parameter("c", "choice('x y',[1,2])"), parameter("d", "1,2")])
    assert space.arguments({"a.b": 1e-05, "c": "x y"}) == ["+a.b=1e-05", "c='x y'"]
    assert space.arguments({"c": "[1,2]", "d": 2}) == ["c=[1,2]", "d=2"]


BASE = {"model.width": 30, "model.heads": 3, "model.layers": 1, "model.dropout": 0.0}


def base(name):
    return BASE.get(name, UNSET)


def make(constraints=()):
    return Space(
        [
            parameter("model.layers", "choice(1,2)"),
            parameter("model.dropout", "interval(0,0.5)", when="model.layers > 1"),
            parameter("model.heads", "choice(3,4)"),
        ],
        constraints,
        BASE.get,
    )


def test_a_parameter_whose_condition_does_not_hold_is_not_chosen():
    assert make().chosen(lambda one, _: one.distribution.choices[0]) == {"model.layers": 1, "model.heads": 3}
    values = make().chosen(lambda one, _: 0.25 if one.name == "model.dropout" else one.distribution.choices[1])
    assert values == {"model.layers": 2, "model.dropout": 0.25, "model.heads": 4}


def test_settings_may_follow_from_a_parameter():
    widths, factor = (
        parameter("model.width", "choice(30,40)"),
        parameter("factor", "choice(2,4)", None, {"ff": "factor * model.width"}),
    )
    space = Space([widths, factor], (), {**BASE, "ff": 120}.get)
    assert space.arguments({"model.width": 40, "factor": 2}) == ["model.width=40", "ff=80"]
    assert space.baseline() == {"model.width": 30, "factor": 4}
    with pytest.raises(UsageError, match=r"factor is not set"):
        Space([widths, factor], (), base).baseline()
    with pytest.raises(UsageError, match=r"factor: its condition names model.width"):
        Space([factor, widths])


def test_constraints_know_parameters_and_the_rest_of_the_configuration():
    space = make(["model.width % model.heads == 0"])
    assert space.allows({"model.heads": 3})
    assert not space.allows({"model.heads": 4})
    assert space.allows({})


def test_a_condition_may_name_only_what_stands_before_it():
    with pytest.raises(UsageError, match=r"a: its condition names b"):
        Space([parameter("a", "1,2", when="b > 1"), parameter("b", "1,2")])


def test_the_baseline_is_the_configuration_if_the_space_holds_it():
    assert make(["model.width % model.heads == 0"]).baseline() == {"model.layers": 1, "model.heads": 3}
    with pytest.raises(UsageError, match=r"model.heads is 3, which"):
        Space([parameter("model.heads", "choice(4,5)")], (), BASE.get).baseline()
    with pytest.raises(UsageError, match=r"model.width > 30 does not hold"):
        make(["model.width > 30"]).baseline()
    with pytest.raises(UsageError, match=r"new is not set"):
        Space([parameter("+new", "interval(0,1)")], (), base).baseline()
