"""Installed trained models: found by id and short name, after the workspace's own, and told apart when bad."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest

from kelly_core import cli
from kelly_core.catalog import read_catalog
from kelly_core.chain import Dense
from kelly_core.chain.rtneural import render
from kelly_core.contract import (
    ArtifactInfo,
    ChainInfo,
    ChainTensor,
    Contract,
    GoldenVector,
    TensorInfo,
)
from kelly_core.errors import ContractError, KellyError, PluginError, UserError
from kelly_core.health import examine, trained_checks
from kelly_core.inference import Engine, create_engine_by_name
from kelly_core.registry import ModelEntry, artifact, file_ref, with_artifacts
from kelly_core.registry.store import Registry, write
from kelly_core.trained import all_homes, find_home
from kelly_core.workspace import Workspace

ONE = np.array([[1.0, 2.0]], np.float32)


def write_model(place: Workspace, factor: float = 1.0, model_id: str = "keyfinder") -> None:
    """A layer that multiplies the sum of two numbers, with contract and registry, in a workspace's layout."""
    file = place.artifact(model_id, ".json")
    file.parent.mkdir(parents=True, exist_ok=True)
    layer = Dense(np.full((2, 1), factor, np.float32), np.zeros(1, np.float32))
    file.write_text(render([layer]), encoding="utf-8")
    frame = ChainInfo(inputs=[ChainTensor(name="x", size=2)], outputs=[ChainTensor(name="y", size=1)])
    said = {"y": np.array([[3.0 * factor]], np.float32)}
    Contract(
        model_id=model_id,
        model_version="0.1.0",
        task="keys",
        architecture_type="dense",
        parameters=3,
        inputs=[TensorInfo(name="x", shape=["batch", 2])],
        outputs=[TensorInfo(name="y", shape=["batch", 1])],
        chain=frame,
        latency_budget_ms=1.0,
        synthetic_data=True,
        run_id="run",
        checkpoint_sha256="0" * 64,
        artifacts={"rtneural": ArtifactInfo.of(file)},
        golden=[GoldenVector.of("one", {"x": ONE}, said)],
    ).save(place.contract(model_id))
    entry = ModelEntry(
        id=model_id,
        name="key",
        file=None,
        format=None,
        task="keys",
        status="trained",
        run_id="run",
        synthetic_data=True,
        contract=file_ref(place.models, place.contract(model_id)),
    )
    made = {"rtneural": artifact(place.models, file, verified=True)}
    write(place.registry, Registry(models=[with_artifacts(entry, made)]))


@pytest.fixture
def install(fakes):
    """`install(name, factor)` puts a package with a trained model on the path; gives its folder."""

    def put(distribution="kelly-model-keyfinder", factor=10.0, model_id="keyfinder"):
        fakes.write(distribution, "raise AssertionError('nothing of it may be imported')")
        module = distribution.replace("-", "_")
        (fakes.folder / f"{module}.py").unlink()
        folder = fakes.folder / module
        write_model(Workspace(folder), factor, model_id)
        (folder / "__init__.py").write_text("raise AssertionError('nothing of it may be imported')")
        points = fakes.folder / f"{module}-1.0.dist-info" / "entry_points.txt"
        points.write_text(f"[kelly.trained]\n{model_id} = {module}\n")
        return Workspace(folder)

    return put


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    """An empty one, where commands work."""
    place = Workspace((tmp_path / "ws").resolve())
    place.root.mkdir()
    monkeypatch.setenv("KELLY_WORKSPACE", str(place.root))
    monkeypatch.delenv("KELLY_TRAINED", raising=False)
    return place


def said(name, workspace):
    """What the model of this name answers to 1 and 2."""
    return float(create_engine_by_name(name, workspace=workspace).load().infer({"x": ONE}).outputs["y"][0, 0])


def listed(fakes, workspace, *options):
    done = fakes.kelly("list", *options, "--json", KELLY_WORKSPACE=str(workspace.root))
    assert done.returncode == 0, done.stderr
    return {(row["kind"], row["name"]): row for row in json.loads(done.stdout)}


@pytest.mark.parametrize("name", ["keyfinder", "key", "key_finder", "kelly-model-keyfinder:key"])
def test_an_installed_model_is_found_without_its_plugin_and_nothing_of_it_runs(install, workspace, name):
    install()
    engine = create_engine_by_name(name, workspace=workspace).load()
    assert engine.infer({"x": ONE}).outputs["y"].tolist() == [[30.0]]
    assert engine.package == "kelly-model-keyfinder 1.0"
    about = engine.about()
    assert (about["package"], about["version"], about["runtime"]) == (
        "kelly-model-keyfinder",
        "1.0",
        "rtneural",
    )
    assert "kelly_model_keyfinder" not in sys.modules


def test_the_workspace_comes_first_unless_the_package_is_named(install, workspace, monkeypatch):
    install()
    write_model(workspace, factor=1.0)
    for name in ("keyfinder", "key"):
        assert said(name, workspace) == 3.0
    assert create_engine_by_name("key", workspace=workspace).load().about()["package"] is None
    assert said("kelly-model-keyfinder:keyfinder", workspace) == 30.0
    assert Engine("keyfinder", workspace=workspace, package="kelly-model-keyfinder").load().package
    with pytest.raises(PluginError, match="no installed package 'kelly-model-other'"):
        Engine("keyfinder", workspace=workspace, package="kelly-model-other").load()
    monkeypatch.setenv("KELLY_TRAINED", "other, kelly_model.Keyfinder")
    assert said("keyfinder", workspace) == 30.0


def test_two_packages_with_one_model_are_an_error_that_says_how_to_choose(install, workspace, monkeypatch):
    install("kelly-model-a", 10.0)
    install("kelly-model-b", 20.0)
    for name in ("keyfinder", "key"):
        with pytest.raises(PluginError) as caught:
            create_engine_by_name(name, workspace=workspace)
        assert "kelly-model-a 1.0 and kelly-model-b 1.0" in caught.value.message
        assert "'kelly-model-b:keyfinder'" in caught.value.hint
    assert said("kelly-model-b:keyfinder", workspace) == 60.0
    monkeypatch.setenv("KELLY_TRAINED", "kelly-model-a")
    assert said("key", workspace) == 30.0
    monkeypatch.delenv("KELLY_TRAINED")
    write_model(workspace)
    assert said("key", workspace) == 3.0
    assert [home.workspace.root for home in all_homes(workspace)] == [workspace.root]


def test_a_name_that_nothing_has_is_still_no_model(install, workspace):
    install()
    assert find_home("melody", workspace) is None
    assert find_home("kelly-model-keyfinder:melody", workspace) is None
    assert find_home("../ws/models/keyfinder", workspace) is None
    with pytest.raises(PluginError, match="no model named 'nothing'"):
        create_engine_by_name("nothing", workspace=workspace)


def test_without_plugins_no_installed_model_is_used_and_the_list_of_allowed_plugins_is_none_of_its(
    install, workspace, monkeypatch
):
    install()
    monkeypatch.setenv("KELLY_PLUGINS", "kelly-emotion")
    assert said("key", workspace) == 30.0
    monkeypatch.setenv("KELLY_NO_PLUGINS", "1")
    assert find_home("keyfinder", workspace) is None


def test_list_shows_an_installed_model_as_trained_and_whose_it_is(fakes, install, workspace):
    fakes.write_model("fake-key", "key")
    install()
    rows = listed(fakes, workspace)
    assert rows["model", "key"]["status"] == "trained"
    assert rows["model", "key"]["installed_from"] == ["kelly-model-keyfinder 1.0"]
    assert rows["trained", "keyfinder"]["distribution"] == "kelly-model-keyfinder"
    assert rows["trained", "keyfinder"]["status"] == "trained"
    assert listed(fakes, workspace, "--kind", "trained").keys() == {("trained", "keyfinder")}
    details = fakes.kelly("list", "--details", KELLY_WORKSPACE=str(workspace.root)).stdout
    assert "status: trained, of kelly-model-keyfinder 1.0" in details
    assert "synthetic data" in details
    packages = fakes.kelly("list", "--by", "package").stdout
    assert "trained" in packages.partition("kelly-model-keyfinder 1.0")[2].splitlines()[0]


@pytest.mark.parametrize(("status", "shown"), [("training", "training"), ("stub", "trained")])
def test_the_registry_of_the_workspace_counts_unless_nothing_came_of_it(
    fakes, install, workspace, status, shown
):
    fakes.write_model("fake-key", "key")
    install()
    workspace.models.mkdir()
    entry = ModelEntry(id="keyfinder", name="key", file=None, format=None, task="keys", status=status)
    write(workspace.registry, Registry(models=[entry]))
    before = workspace.registry.read_bytes()
    assert listed(fakes, workspace)["model", "key"]["status"] == shown
    assert workspace.registry.read_bytes() == before


def test_verify_and_bench_see_it_and_write_nothing(install, workspace, capsys):
    home = install()
    before = {path: path.read_bytes() for path in home.root.rglob("*") if path.is_file()}
    assert cli.run(["verify", "keyfinder", "--json"]) == 0
    [report] = json.loads(capsys.readouterr().out)["reports"]
    assert report["passed"]
    assert report["reference"] == "golden vectors"
    assert cli.run(["bench", "keyfinder", "--runs", "20", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["models"][0]["model_id"] == "keyfinder"
    assert {path: path.read_bytes() for path in home.root.rglob("*") if path.is_file()} == before
    assert not workspace.models.exists()


def test_data_and_caches_stay_in_the_users_workspace(install, workspace):
    install()
    home = find_home("keyfinder", workspace)
    assert home.workspace.data_root() == workspace.root / "data"


def break_contract(place):
    place.contract("keyfinder").unlink()
    return "there is no contract", "install it again"


def break_text(place):
    place.contract("keyfinder").write_text("{")
    return "not a valid contract", "install it again"


def break_file(place):
    file = place.artifact("keyfinder", ".json")
    file.write_text(file.read_text().replace("10", "11"))
    return "checksum", "install it again"


def break_missing(place):
    place.artifact("keyfinder", ".json").unlink()
    return "exist", "install it again"


def make_newer(place):
    path = place.contract("keyfinder")
    newer = json.loads(path.read_text()) | {"contract_version": "1.1", "new_key": 1}
    path.write_text(json.dumps(newer))
    return "version 1.1, newer than what this Kelly reads", "upgrade kelly-core"


def make_much_newer(place):
    path = place.contract("keyfinder")
    path.write_text(path.read_text().replace('"contract_version": "1.0"', '"contract_version": "10.0"'))
    return "version 10.0, newer than", "upgrade kelly-core"


BREAKS = [break_contract, break_text, break_file, break_missing, make_newer, make_much_newer]


@pytest.mark.parametrize("damage", BREAKS, ids=lambda damage: damage.__name__)
def test_a_bad_package_is_named_in_one_message_and_by_doctor(install, workspace, damage, capsys):
    place = install()
    problem, advice = damage(place)
    with pytest.raises(ContractError) as caught:
        create_engine_by_name("keyfinder", workspace=workspace).load()
    assert caught.value.message.startswith("kelly-model-keyfinder 1.0: ")
    assert advice in caught.value.hint
    if damage is not break_missing:
        assert problem in caught.value.message
    assert cli.run(["verify", "key"]) in (1, 2)
    assert "Traceback" not in capsys.readouterr().err
    [check] = trained_checks(read_catalog(("trained",)))
    assert (check.verdict, check.name) == ("broken", "kelly-model-keyfinder 1.0")
    assert problem in check.message
    assert advice in check.hint


def test_a_package_whose_folder_is_gone_is_named(fakes, install, workspace):
    place = install()
    place.root.rename(place.root.with_name("elsewhere"))
    with pytest.raises(KellyError, match=r"kelly-model-keyfinder 1\.0: its folder 'kelly_model_keyfinder'"):
        create_engine_by_name("keyfinder", workspace=workspace)
    assert listed(fakes, workspace)["trained", "keyfinder"]["status"] == "?"


def test_doctor_looks_at_installed_models(install, workspace, monkeypatch):
    install()
    monkeypatch.setattr("kelly_core.health.read_catalog", lambda kinds=(): read_catalog(kinds) if kinds else [])
    found = {check.name: check for check in examine(workspace) if check.section == "trained"}
    assert found["kelly-model-keyfinder 1.0"].verdict == "ok"


def test_a_whole_package_is_well_and_a_doubled_one_is_not(install):
    install("kelly-model-a")
    [check] = trained_checks(read_catalog(("trained",)))
    assert (check.verdict, check.message) == ("ok", "keyfinder, rtneural")
    install("kelly-model-b")
    found = list(trained_checks(read_catalog(("trained",))))
    assert [check.verdict for check in found] == ["ok", "ok", "broken"]
    assert "kelly-model-a 1.0 and kelly-model-b 1.0" in found[-1].message


def test_what_a_package_does_not_have_is_asked_for_in_vain(install, workspace):
    install()
    for runtime, words in (("onnx", "kelly-model-keyfinder 1.0 has no other"), ("torch", "--with-checkpoint")):
        engine = create_engine_by_name("keyfinder", runtime=runtime, workspace=workspace)
        with pytest.raises(UserError) as caught:
            engine.load()
        assert words in caught.value.hint


def test_checking_it_as_a_plugin_points_to_what_checks_it(install, workspace, capsys):
    install()
    assert cli.run(["plugin", "check", "kelly-model-keyfinder"]) == 2
    assert "kelly verify kelly-model-keyfinder:keyfinder" in capsys.readouterr().err
