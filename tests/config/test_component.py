"""Objects from settings: the signature is the schema."""

import functools
import importlib
import re
from collections.abc import Callable, Sequence
from typing import Literal, Optional

import pytest
import torch
from hydra.utils import get_object
from omegaconf import OmegaConf
from support import ROOT

from seqlab.arguments import check_arguments
from seqlab.config import component as module
from seqlab.config.component import Component, components_of
from seqlab.data.module import SequenceData
from seqlab.data.text_pairs import TextPairs
from seqlab.errors import InputError
from seqlab.renamed import RENAMED, RENAMED_OF_DATASETS, new_name


class Base:
    def __init__(self, size: int = 3, rate: float = 0.5, **rest) -> None:
        self.size, self.rate, self.rest = size, rate, rest


class Child(Base):
    def __init__(self, name: str = "a", shape: tuple[int, int] = (1, 2), **rest) -> None:
        super().__init__(**rest)
        if name == "bad":
            raise ValueError("name must not be bad")
        self.name, self.shape = name, shape


class Leaf(Child):
    def __init__(self, extra: int | None = None, **rest) -> None:
        super().__init__(**rest)


class Closed:
    def __init__(self, size: int = 3, inner: object = None) -> None:
        self.size, self.inner = size, inner


def build(group, key, **extra):
    return Component.of(group, key).build(**extra)


@pytest.fixture(autouse=True)
def _targets(monkeypatch):
    """Makes the classes above importable as seqlab.config.component.<name>."""
    for cls in (Base, Child, Leaf, Closed):
        monkeypatch.setattr(module, cls.__name__, cls, raising=False)


def config(**values):
    return OmegaConf.create({"_target_": "seqlab.config.component.Closed", **values})


def test_builds_nested_configs_first():
    built = build(config(size=5, inner=config(size=7)), "thing")
    assert (built.size, built.inner.size) == (5, 7)


def test_extra_arguments_win():
    assert build(config(size=5), "thing", size=9).size == 9


def test_partial_waits_to_be_called():
    partial = build(config(size=5, _partial_=True), "thing")
    assert isinstance(partial, functools.partial)
    assert partial().size == 5


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"other": 1}, "thing.other: unknown key; Closed takes inner, size"),
        ({"size": "many"}, "thing.size must be an integer, but is 'many'"),
        ({"_target_": "seqlab.data.notes.Notes"}, "'seqlab.data.notes.Notes' is now called seqlab.data.documents.Doc"),
        ({"_target_": "seqlab.training.optimizers.Muon"}, "is now called seqlab.optim.optimizers.Muon"),
        ({"_target_": "seqlab.training.monitors.Outlook"}, "is now called seqlab.training.callbacks.monitors.RunSum"),
        ({"_target_": "no.such.thing"}, "thing._target_: 'no.such.thing' cannot be imported"),
        ({"_target_": None}, "thing._target_ must name a class or function, but is None"),
        ({"_target_": "${nowhere}"}, "thing: Interpolation key 'nowhere' not found"),
        ({"size": "${nowhere}"}, "thing: Interpolation key 'nowhere' not found"),
    ],
)
def test_what_does_not_fit_is_named(values, message):
    with pytest.raises(InputError, match=message.replace("[", r"\[")):
        build(config(**values), "thing")


def test_a_value_that_the_constructor_refuses_is_an_input_error():
    bad = OmegaConf.create({"_target_": "seqlab.config.component.Child", "name": "bad"})
    with pytest.raises(InputError, match="thing: name must not be bad"):
        build(bad, "thing")


def test_keywords_are_followed_to_the_bases():
    assert check_arguments(Closed, {"size": 1}, "k") == {"size": 1}
    with pytest.raises(InputError, match=r"k\.rate must be a number, but is 'x'"):
        check_arguments(Leaf, {"rate": "x"}, "k")
    assert check_arguments(Leaf, {"rate": 1, "anything": 2}, "k") == {"rate": 1, "anything": 2}


@pytest.mark.parametrize(
    ("hint", "words"),
    [
        (int, "an integer"),
        (float | torch.Tensor, "a number"),
        (int | float | None, "a number or null"),
        (Optional[Literal["all", 1]], "all, 1 or null"),  # noqa: UP045 (as libraries write it)
        (list[str], "a list of texts"),
        (tuple[float | torch.Tensor, float | torch.Tensor], "a list of numbers"),
        (Sequence[int | str], "a list"),
        (dict[str, int] | list, "a mapping or a list"),
        (torch.Tensor, "Tensor"),
        (Callable[[], int], "collections.abc.Callable[[], int]"),
    ],
)
def test_the_message_says_in_words_what_may_be_typed(hint, words):
    def taker(one):
        pass

    taker.__annotations__["one"] = hint
    with pytest.raises(InputError) as error:
        check_arguments(taker, {"one": object()}, "k")
    assert str(error.value).startswith(f"k.one must be {words}, but is ")


@pytest.mark.parametrize(
    ("target", "taken"),
    [
        ("seqlab.config.component.Closed", True),
        ("seqlab.config.component.Leaf", False),  # it takes any
        ("no.such.thing", False),
        (None, False),
        ("???", False),
    ],
)
def test_what_a_target_takes_by_name(target, taken):
    assert Component("thing", {"_target_": target}).takes("size") is taken


def test_lists_become_the_tuples_that_are_asked_for():
    assert check_arguments(Child, {"shape": [3, 4]}, "k") == {"shape": (3, 4)}
    with pytest.raises(InputError, match=r"k\.shape must be"):
        check_arguments(Child, {"shape": [3, "x"]}, "k")


def test_entries_that_are_null_are_left_out():
    group = OmegaConf.create({"one": config(size=5), "none": None})
    assert components_of(group, "group") == {"one": Component.of(group.one, "group.one")}
    assert components_of(None, "group") == {}


@pytest.mark.parametrize("group", ["text", 5, [1]])
def test_what_is_no_group_is_refused(group):
    with pytest.raises(InputError, match="thing must be a group of settings, but is"):
        Component.of(group, "thing")
    with pytest.raises(InputError, match="things must be a group of settings, but is"):
        components_of(group, "things")


def test_what_is_built_may_change_its_arguments_and_nothing_else():
    component = Component("thing", {"_target_": "seqlab.config.component.Closed", "inner": [1, 2]})
    component.build().inner.append(3)
    assert component.build().inner == [1, 2]
    assert component.with_settings(size=7).build().size == 7
    assert "size" not in component.settings


@pytest.mark.parametrize(("old", "new"), RENAMED.items())
def test_what_has_another_name_is_there_by_it_and_no_longer_by_the_old_one(old, new):
    inside = ""
    if new.endswith("."):
        own = vars(importlib.import_module(new[:-1]))
        inside = next(name for name in own if getattr(own[name], "__module__", "") == new[:-1])
    assert new_name(old + inside) == new + inside
    assert callable(get_object(new + inside))
    with pytest.raises((ImportError, ValueError)):
        get_object(old + inside)


def old_names_in_the_guide():
    """The first column of the list of renamed things in conf/README.md, a list of names per row."""
    text = (ROOT / "conf/README.md").read_text(encoding="utf-8").partition("## Renamed")[2]
    cells = [line.split("|")[1] for line in text.splitlines() if line.startswith("| ") and "---" not in line][1:]
    return [re.findall(r"`([^`]+)`", cell) for cell in cells]


def test_every_module_that_the_guide_calls_renamed_gets_an_error_with_its_new_name():
    modules = []
    for first, *others in old_names_in_the_guide():
        start = re.search(r"seqlab(\.\w+)+", first)
        if start:
            around = start[0].rpartition(".")[0]
            modules += [start[0], *(around + other for other in others if other.startswith("."))]
    assert len(modules) >= 14
    assert [name for name in modules if new_name(name) is None and new_name(f"{name}.Thing") is None] == []


def test_every_name_of_a_dataset_that_the_guide_calls_renamed_is_refused_with_its_new_name():
    rows = old_names_in_the_guide()
    listed = {name.removesuffix("()") for names in rows for name in names} - {"ask"}  # which is called, not defined
    assert RENAMED_OF_DATASETS.keys() <= listed
    for old, new in RENAMED_OF_DATASETS.items():
        with pytest.raises(TypeError, match=rf"Mine\.{old} is now called {new}"):
            type("Mine", (SequenceData,), {old: True})
        assert hasattr(TextPairs, new) or new == "pinned_arguments"  # which every dataset sets itself


def test_a_dataset_with_an_old_name_is_bad_input(tmp_path, monkeypatch):
    text = "from seqlab.data.text_pairs import TextPairs\nclass Mine(TextPairs):\n    together = False\n"
    (tmp_path / "old_lab.py").write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(InputError, match=r"data\._target_: .*Mine\.together is now called groups_references"):
        Component("data", {"_target_": "old_lab.Mine"}).build()
