"""Statuses move only along the table, and into production only when every artefact verifies."""

import math
from dataclasses import dataclass
from itertools import product
from typing import get_args

import pytest

from kelly_core.errors import RegistryError
from kelly_core.registry import Artifact, ModelEntry, Registry, abandon_training, begin_training, set_status
from kelly_core.registry.entries import Status
from kelly_core.registry.status import TRANSITIONS, parse_status

ALLOWED = {
    ("stub", "training"),
    ("stub", "deprecated"),
    ("training", "trained"),
    ("training", "stub"),
    ("trained", "training"),
    ("trained", "production"),
    ("trained", "deprecated"),
    ("production", "training"),
    ("production", "trained"),
    ("production", "deprecated"),
    ("deprecated", "training"),
    ("deprecated", "trained"),
}
STATUSES = get_args(Status)


@dataclass
class Report:
    artifact: str
    passed: bool
    max_abs: float = 1e-6
    not_run: str = ""

    def failures(self):
        return [] if self.passed or self.not_run else ["case 'batch 3', output 'output': differs by 0.5"]


def entry(status="trained", formats=("onnx", "torchscript")):
    made = {name: Artifact(file=f"m.{name}", sha256="0" * 64, bytes=1) for name in formats}
    return ModelEntry(id="m", name="em", file=None, format=None, task="t", status=status, artifacts=made)


def half(model_id):
    elsewhere = Report("/models/m.torchscript", False, float("nan"), "it runs on macOS")
    return [Report("/models/m.onnx", True), elsewhere]


def passing(model_id):
    return [Report("/models/m.onnx", True), Report("/models/m.torchscript", True)]


@pytest.mark.parametrize(("old", "new"), list(product(STATUSES, STATUSES)))
def test_the_table_decides_every_move(old, new):
    registry = Registry(models=[entry(old)])
    if old == new or (old, new) in ALLOWED:
        assert set_status(registry, "m", new, passing).models[0].status == new
    else:
        with pytest.raises(RegistryError) as caught:
            set_status(registry, "m", new, passing)
        assert all(other in caught.value.hint for other in TRANSITIONS[old])


def test_production_needs_every_artefact_to_verify():
    def verify(model_id):
        return [Report("/models/m.onnx", True), Report("/models/m.torchscript", False)]

    with pytest.raises(RegistryError, match=r"(?s)stays 'trained'.*m\.torchscript: case 'batch 3'") as caught:
        set_status(Registry(models=[entry()]), "m", "production", verify)
    assert "m.onnx" not in caught.value.message


def test_production_needs_every_artefact_to_be_looked_at():
    with pytest.raises(RegistryError, match=r"m\.torchscript: was not verified"):
        set_status(Registry(models=[entry()]), "m", "production", lambda _: passing("m")[:1])


def test_production_needs_an_artefact():
    with pytest.raises(RegistryError, match="no artefact"):
        set_status(Registry(models=[entry(formats=())]), "m", "production", lambda _: [])


def test_production_records_what_was_verified():
    made = set_status(Registry(models=[entry()]), "em", "production", passing).models[0].artifacts
    assert all(one.verified and one.verified_at and one.max_abs_diff == 1e-6 for one in made.values())


def test_a_file_of_another_platform_neither_hinders_nor_suffices():
    made = set_status(Registry(models=[entry()]), "em", "production", half).models[0].artifacts
    assert {name: one.verified for name, one in made.items()} == {"onnx": True, "torchscript": False}
    with pytest.raises(RegistryError, match="none of its files can be run on this machine"):
        set_status(
            Registry(models=[entry(formats=("torchscript",))]), "m", "production", lambda _: half("m")[1:]
        )


def test_only_production_verifies():
    def verify(model_id):
        raise AssertionError("not asked for")

    set_status(Registry(models=[entry()]), "m", "deprecated", verify)


def test_first_training_begins_as_a_stub_and_falls_back_to_one():
    begun = begin_training(Registry(), "m", name="em", task="t")
    assert begun.models[0].status == "training"
    assert abandon_training(begun, "m").models[0].status == "stub"


def test_a_failed_retraining_keeps_the_earlier_result_but_not_production():
    begun = begin_training(Registry(models=[entry("production")]), "m", name="em", task="t")
    assert begun.models[0].artifacts
    assert abandon_training(begun, "m").models[0].status == "trained"


def test_abandoning_what_is_not_in_training_changes_nothing():
    registry = Registry(models=[entry("production")])
    assert abandon_training(registry, "m") is registry


def test_an_unknown_status_names_the_nearest():
    with pytest.raises(RegistryError, match="did you mean 'production'"):
        parse_status("prodution")


def test_a_difference_that_is_not_a_number_is_not_recorded():
    def verify(model_id):
        return [Report(one.artifact, True, math.nan) for one in passing(model_id)]

    made = set_status(Registry(models=[entry()]), "m", "production", verify).models[0].artifacts
    assert {one.max_abs_diff for one in made.values()} == {None}
