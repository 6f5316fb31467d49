"""A password in a storage's address is kept out of whatever is written, however it stands there."""

import pytest
from omegaconf import OmegaConf

from hydra_pruning_sweeper.errors import UsageError
from hydra_pruning_sweeper.names import NAMES
from hydra_pruning_sweeper.study.addresses import conceal, hidden, is_remote, is_secret, shown
from hydra_pruning_sweeper.study.storage import StudyStorage
from hydra_pruning_sweeper.trial.context import TRIAL_VARIABLE, TrialContext, context_of_trial
from seqlab.exclusive_folders import ExclusiveFolders

SECRET = "geheim"
ADDRESSES = [
    ("postgresql://me:geheim@host/db", "postgresql://me:…@host/db"),
    ("mysql+pymysql://me:a@geheim@host:3306/db", "mysql+pymysql://me:…@host:3306/db"),
    ("postgresql://me:p/w:geheim@host/db", "postgresql://me:…@host/db"),
    ("postgresql://me:p?geheim@host/db", "postgresql://…"),
    ("postgresql://host/db?password=geheim", "postgresql://host/db?…"),
    ("postgresql://host:5432/db?user=me&password=a@geheim", "postgresql://…"),
    ("postgresql://me@host/db?sslpassword=geheim&x=1", "postgresql://me@host/db?…"),
    ("postgresql://me:ge%68eim@host/db?options=a\ngeheim", "postgresql://me:…@host/db?…"),
]


@pytest.mark.parametrize(("address", "expected"), ADDRESSES)
def test_no_part_of_a_password_is_shown(address, expected):
    assert shown(address) == expected
    assert shown(expected) == expected
    assert is_secret(address)
    said = hidden(f"cannot reach {address}: geheim was refused ('geheim')", address)
    assert SECRET not in said
    assert SECRET not in hidden(f"mismatched input in hydra.sweeper.storage={address.splitlines()[0]}")


@pytest.mark.parametrize(
    "address", ["postgresql://me@host/db", "sqlite:///a.db", "grpc://host:13000", "/a/journal.log"]
)
def test_an_address_without_one_is_shown_as_it_is(address):
    assert shown(address) == address
    assert not is_secret(address)
    assert is_remote(address) == address.startswith(("postgresql", "grpc"))


def test_an_error_of_an_engine_does_not_show_it():
    with pytest.raises(UsageError) as caught:
        StudyStorage("postgresql://me:a:geheim@127.0.0.1:x/db?password=geheim")
    assert SECRET not in str(caught.value)


def test_no_quote_or_space_in_a_password_ends_it():
    for address in ("postgresql://u:pa'geheim@h/db", 'postgresql://u:pa" geheim@h/db', "postgresql://h/db?a='geheim"):
        assert SECRET not in hidden(f"mismatched input in hydra.sweeper.storage={address}'")


def test_a_configuration_that_is_written_does_not_hold_it(monkeypatch):
    def configured(address):
        overrides = {"hydra": [f"++hydra.sweeper.storage={address}", "a=b"]}
        config = OmegaConf.create({"hydra": {"sweeper": {"storage": address}, "overrides": overrides}})
        OmegaConf.set_readonly(config.hydra, True)
        return config

    monkeypatch.setenv(TRIAL_VARIABLE, "trial.json")  # its folder is made already
    ExclusiveFolders().on_run_start(config := configured("postgresql://me:geheim@host/db"))
    assert SECRET not in OmegaConf.to_yaml(config)
    assert config.hydra.overrides.hydra == ["a=b"]
    conceal(config := configured("${oc.env:GEHEIM}"))
    assert config == configured("${oc.env:GEHEIM}")


def test_trials_are_given_it_by_their_environment_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("MY_STORAGE", address := "postgresql://me:geheim@host/db")
    monkeypatch.setattr(NAMES, "storage_variable", "MY_STORAGE")
    file = TrialContext("s", None, 0, str(tmp_path)).write()
    assert SECRET not in file.read_text()
    monkeypatch.undo()  # a launcher may run the trial where the application has not handed its names in
    monkeypatch.setenv("MY_STORAGE", address)
    context = context_of_trial({TRIAL_VARIABLE: str(file)})
    assert context.address() == address
    monkeypatch.delenv("MY_STORAGE")
    with pytest.raises(UsageError, match=r"MY_STORAGE must hold the address"):
        context.address()
