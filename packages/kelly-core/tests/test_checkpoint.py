import os
import pickle
import random
from contextlib import suppress
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from kelly_core.checkpoint import CHECKPOINT_FORMAT, load_trained, read_checkpoint, save_checkpoint
from kelly_core.config import TrainConfig
from kelly_core.errors import CheckpointError
from kelly_core.specs import LazyRef

PAYLOAD = {
    "format": CHECKPOINT_FORMAT,
    "name": "tiny",
    "model_id": "tinynet",
    "epoch": 3,
    "val_loss": 0.5,
    "config": {},
    "model_state_dict": nn.Linear(2, 2).state_dict(),
}


class Payload:
    """What an attacker would put into a file."""

    def __reduce__(self):
        return os.system, ("touch was_run",)


@dataclass
class Settings:
    lr: float = 0.1


def test_what_was_saved_is_read(tmp_path):
    path = tmp_path / "deep" / "best.pt"
    save_checkpoint(path, PAYLOAD)
    read = read_checkpoint(path)
    assert read["epoch"] == 3
    assert torch.equal(read["model_state_dict"]["weight"], PAYLOAD["model_state_dict"]["weight"])


@pytest.mark.parametrize("write", [torch.save, lambda value, path: path.write_bytes(pickle.dumps(value))])
def test_a_pickle_that_wants_to_run_code_is_refused_by_name(tmp_path, monkeypatch, write):
    monkeypatch.chdir(tmp_path)
    write({**PAYLOAD, "extra": Payload()}, tmp_path / "evil.pt")
    with pytest.raises(CheckpointError) as caught:
        read_checkpoint(tmp_path / "evil.pt")
    assert f"'{os.system.__module__}.system'" in caught.value.message
    assert caught.value.where == str(tmp_path / "evil.pt")
    assert not (tmp_path / "was_run").exists()


@pytest.mark.parametrize(
    ("value", "named"),
    [
        (nn.Linear(1, 1), "torch.nn.modules.linear.Linear"),
        (np.zeros(3), "numpy.ndarray"),
        (Settings(), "Settings"),
        (Settings, "Settings"),
    ],
)
def test_objects_beside_tensors_are_refused_by_name(tmp_path, value, named):
    torch.save({**PAYLOAD, "extra": value}, tmp_path / "more.pt")
    with pytest.raises(CheckpointError) as caught:
        read_checkpoint(tmp_path / "more.pt")
    assert named in caught.value.message


@pytest.mark.parametrize("seed", range(40))
def test_a_damaged_file_is_a_checkpoint_error_or_still_readable(tmp_path, seed):
    path, chance = tmp_path / "last.pt", random.Random(seed)
    torch.save(PAYLOAD, path)
    content = bytearray(path.read_bytes())
    for _ in range(chance.randint(1, 20)):
        content[chance.randrange(len(content))] = chance.randrange(256)
    path.write_bytes(content[: chance.randint(1, len(content))] if seed % 2 else content)
    with suppress(CheckpointError):  # anything else is an error of ours
        assert set(PAYLOAD) <= set(read_checkpoint(path))


def test_a_truncated_file_is_damaged(tmp_path):
    path = tmp_path / "last.pt"
    torch.save(PAYLOAD, path)
    path.write_bytes(path.read_bytes()[:-400])
    with pytest.raises(CheckpointError, match="damaged") as caught:
        read_checkpoint(path)
    assert "\n" not in caught.value.message


@pytest.mark.parametrize("content", [b"", b"hello world", b"PK\x03\x04", b"\x80\x02}q\x00."])
def test_something_else_is_no_checkpoint(tmp_path, content):
    path = tmp_path / "best.pt"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"no checkpoint|not a Kelly checkpoint"):
        read_checkpoint(path)


@pytest.mark.parametrize(
    ("foreign", "lacking"),
    [
        ({"state_dict": {}}, "'format', 'name'"),
        ([1, 2], "'format'"),
        (torch.zeros(3), "'format'"),
        ({**PAYLOAD, "format": "1"}, "'format'"),
        ({key: value for key, value in PAYLOAD.items() if key != "config"}, "'config'"),
    ],
)
def test_a_foreign_dictionary_is_told_what_it_lacks(tmp_path, foreign, lacking):
    torch.save(foreign, tmp_path / "other.pt")
    with pytest.raises(CheckpointError, match="not a Kelly checkpoint") as caught:
        read_checkpoint(tmp_path / "other.pt")
    assert lacking in caught.value.message


def test_a_newer_format_asks_for_an_upgrade(tmp_path):
    save_checkpoint(tmp_path / "new.pt", {**PAYLOAD, "format": CHECKPOINT_FORMAT + 1})
    with pytest.raises(CheckpointError) as caught:
        read_checkpoint(tmp_path / "new.pt")
    assert "upgrade" in caught.value.hint


def test_a_missing_file_says_how_to_make_one(tmp_path):
    with pytest.raises(CheckpointError, match="no such checkpoint") as caught:
        read_checkpoint(tmp_path / "best.pt")
    assert "kelly train" in caught.value.hint


def test_a_folder_is_not_read(tmp_path):
    with pytest.raises(CheckpointError, match="can't be read"):
        read_checkpoint(tmp_path)


class TinyTask:
    def __init__(self, config):
        self.config = config

    def build(self, train):
        return nn.Linear(2, 2)


@pytest.fixture
def host(monkeypatch):
    spec = SimpleNamespace(
        name="tiny",
        model_id="tinynet",
        config_class=LazyRef("kelly_core.config:TrainConfig").resolve,
        make_task=TinyTask,
    )
    other = SimpleNamespace(**{**vars(spec), "name": "other", "model_id": "othernet"})
    return SimpleNamespace(model=lambda name: {"tiny": spec, "other": other}[name])


def test_a_trained_network_is_rebuilt(tmp_path, host):
    save_checkpoint(tmp_path / "best.pt", {**PAYLOAD, "config": TrainConfig().model_dump(), "resume": {"a": 1}})
    trained = load_trained(tmp_path / "best.pt", host)
    assert torch.equal(trained.module.weight, PAYLOAD["model_state_dict"]["weight"])
    assert not trained.module.training
    assert "resume" not in trained.meta
    assert len(trained.sha256) == 64


def test_a_checkpoint_of_another_model_is_named(tmp_path, host):
    save_checkpoint(tmp_path / "best.pt", PAYLOAD)
    with pytest.raises(CheckpointError, match="'tinynet', not 'othernet'"):
        load_trained(tmp_path / "best.pt", host, name="other")


def test_weights_of_another_shape_are_named(tmp_path, host):
    save_checkpoint(
        tmp_path / "best.pt",
        {**PAYLOAD, "model_state_dict": {"weight": torch.zeros(3, 2), "bias": torch.zeros(2)}},
    )
    with pytest.raises(CheckpointError, match="don't fit") as caught:
        load_trained(tmp_path / "best.pt", host)
    assert "weight" in caught.value.message
