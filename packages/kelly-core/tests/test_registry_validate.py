"""Validation finds each kind of damage; rebuilding mends it from what lies on disk."""

import json

import pytest

from kelly_core.contract import ArtifactInfo, Contract, TensorInfo
from kelly_core.registry import (
    ModelEntry,
    artifact,
    changed,
    file_ref,
    load,
    register,
    set_status,
    update,
    with_artifacts,
)
from kelly_core.registry.lookup import replaced
from kelly_core.registry.rebuild import rebuild
from kelly_core.registry.store import restore, schema_path
from kelly_core.registry.validate import in_order, validate
from kelly_core.workspace import Workspace

RUN = "20260101-000000-em-0000"


@pytest.fixture
def workspace(tmp_path):
    """A workspace with one trained, exported, registered model."""
    place = Workspace(tmp_path)
    best = place.checkpoints("m") / "best.pt"
    best.parent.mkdir(parents=True)
    best.write_bytes(b"weights")
    place.models.mkdir()
    onnx = place.artifact("m", ".onnx")
    onnx.write_bytes(b"graph")
    bundle = place.artifact("m", ".mlpackage")
    (bundle / "Data").mkdir(parents=True)
    (bundle / "Data" / "weights.bin").write_bytes(b"1234")
    tensor = TensorInfo(name="input", shape=["batch", 4])
    Contract(
        model_id="m",
        model_version="0.1.0",
        task="t",
        architecture_type="cnn",
        parameters=10,
        inputs=[tensor],
        outputs=[tensor],
        latency_budget_ms=5.0,
        run_id=RUN,
        checkpoint_sha256=file_ref(place.models, best).sha256,
        artifacts={"onnx": ArtifactInfo.of(onnx), "coreml": ArtifactInfo.of(bundle)},
    ).save(place.contract("m"))
    config = place.runs / RUN / "config.yaml"
    config.parent.mkdir(parents=True)
    config.write_text("epochs: 1\n")
    place.cards.mkdir(parents=True)
    (place.cards / "m.md").write_text("# Model Card: m\n")
    entry = ModelEntry(
        id="m",
        name="em",
        file=None,
        format=None,
        task="t",
        status="trained",
        training={"epochs": 1, "train_loss": 0.5, "val_loss": 0.6, "training_date": "2026-01-01T00:00:00"},
        run_id=RUN,
        config=f"../logs/training/{RUN}/config.yaml",
        card="../docs/model_cards/m.md",
        checkpoint=file_ref(place.models, best),
        contract=file_ref(place.models, place.contract("m")),
    )
    made = {
        "onnx": artifact(place.models, onnx, verified=True, max_abs_diff=1e-6),
        "coreml": artifact(place.models, bundle, verified=True, max_abs_diff=1e-5),
    }
    entry = with_artifacts(entry, made)
    register(place, entry)
    (place.runs / RUN / "run.json").write_text(json.dumps({"registry_entry": entry.model_dump(mode="json")}))
    return place


def edit(workspace, **changes):
    """Change the entry behind the registry's back."""
    update(workspace.registry, lambda registry: replaced(registry, changed(registry.models[0], **changes)))


def fields(workspace):
    return [fault.field for fault in validate(workspace.registry) if fault.severity == "error"]


def test_a_registered_model_is_in_order(workspace):
    assert validate(workspace.registry) == []
    entry = load(workspace.registry).models[0]
    assert (entry.file, entry.format) == ("m.onnx", "onnx")
    assert entry.exports == {"onnx_path": "m.onnx", "coreml_path": "m.mlpackage"}
    assert entry.checkpoint.file == "../checkpoints/m/best.pt"


@pytest.mark.parametrize(
    ("gone", "field"),
    [
        ("models/m.onnx", "models[0].artifacts.onnx.file"),
        ("models/m.contract.json", "models[0].contract.file"),
        ("checkpoints/m/best.pt", "models[0].checkpoint.file"),
        ("docs/model_cards/m.md", "models[0].card"),
        (f"logs/training/{RUN}/config.yaml", "models[0].config"),
    ],
)
def test_a_missing_file_is_found_once(workspace, gone, field):
    (workspace.root / gone).unlink()
    faults = validate(workspace.registry)
    assert [fault.field for fault in faults] == [field]
    assert "does not exist" in faults[0].message
    assert faults[0].hint


@pytest.mark.parametrize(
    ("file", "content", "field"),
    [
        ("models/m.onnx", b"hparg", "models[0].artifacts.onnx.sha256"),
        ("models/m.onnx", b"longer graph", "models[0].artifacts.onnx.bytes"),
        ("models/m.mlpackage/Data/weights.bin", b"4321", "models[0].artifacts.coreml.sha256"),
        ("checkpoints/m/best.pt", b"other", "models[0].checkpoint.sha256"),
    ],
)
def test_a_changed_file_is_found(workspace, file, content, field):
    (workspace.root / file).write_bytes(content)
    assert fields(workspace) == [field]


def test_a_renamed_file_in_a_folder_artefact_is_found(workspace):
    folder = workspace.models / "m.mlpackage" / "Data"
    (folder / "weights.bin").rename(folder / "weights2.bin")
    assert fields(workspace) == ["models[0].artifacts.coreml.sha256"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"status": "stub"}, "models[0].status"),
        ({"file": "other.onnx"}, "models[0].file"),
        ({"exports": {"onnx_path": "m.pt"}}, "models[0].exports.onnx_path"),
        ({"run_id": "another"}, "models[0].contract"),
        ({"synthetic_data": True}, "models[0].contract"),
        ({"task": "u"}, "models[0].contract"),
    ],
)
def test_an_entry_that_contradicts_its_files_is_found(workspace, changes, field):
    edit(workspace, **changes)
    assert field in fields(workspace)


def test_a_training_without_a_date_is_a_warning(workspace):
    edit(workspace, training={"epochs": 1})
    assert [(fault.field, fault.severity) for fault in validate(workspace.registry)] == [
        ("models[0].training", "warning")
    ]


def test_trained_without_any_result_is_found(workspace):
    edit(workspace, artifacts={}, exports={}, file=None, format=None, checkpoint=None, contract=None)
    assert fields(workspace) == ["models[0].status"]


def test_production_with_an_unverified_artefact_is_found(workspace):
    made = load(workspace.registry).models[0].artifacts
    unverified = artifact(workspace.models, workspace.artifact("m", ".onnx"))
    edit(workspace, status="production", artifacts=made | {"onnx": unverified})
    faults = validate(workspace.registry)
    assert [fault.field for fault in faults] == ["models[0].status"]
    assert "onnx" in faults[0].message


def test_a_damaged_contract_is_found(workspace):
    workspace.contract("m").write_text("{}")
    edit(workspace, contract=file_ref(workspace.models, workspace.contract("m")))
    assert fields(workspace) == ["models[0].contract"]


def test_a_contract_of_an_unregistered_model_is_a_warning(workspace):
    workspace.contract("m").with_name("other.contract.json").write_text("{}")
    faults = validate(workspace.registry)
    assert ["other.contract.json" in fault.message for fault in faults] == [True]
    assert in_order(faults)


def test_a_stale_schema_is_a_warning_and_a_broken_one_an_error(workspace):
    schema_path(workspace.registry).write_text("{}")
    assert in_order(validate(workspace.registry))
    assert len(validate(workspace.registry)) == 1
    schema_path(workspace.registry).write_text("{")
    assert not in_order(validate(workspace.registry))


def test_rebuild_gives_the_same_registry(workspace):
    before = load(workspace.registry).models[0]
    after = rebuild(workspace).models[0]
    assert changed(after, updated_at=None) == changed(before, updated_at=None)


def test_rebuild_from_an_unreadable_registry_keeps_the_old_file(workspace):
    before = load(workspace.registry).models[0]
    workspace.registry.write_text("{ broken")
    registry, kept = restore(workspace.registry, lambda: rebuild(workspace))
    assert kept.read_text() == "{ broken"
    assert validate(workspace.registry) == []
    assert registry.models[0].artifacts == before.artifacts
    assert registry.models[0].status == "trained"


def test_rebuild_without_run_folders_takes_the_contract(workspace):
    workspace.registry.unlink()
    (workspace.runs / RUN / "run.json").unlink()
    entry = rebuild(workspace).models[0]
    assert (entry.id, entry.parameters, entry.run_id, entry.status) == ("m", 10, RUN, "trained")
    assert not any(made.verified for made in entry.artifacts.values())
    restore(workspace.registry, lambda: rebuild(workspace))
    assert in_order(validate(workspace.registry))


def test_rebuild_takes_the_run_that_the_contract_names(workspace):
    later = workspace.runs / "20270101-000000-em-0000"
    later.mkdir()
    other = load(workspace.registry).models[0].model_dump(mode="json") | {"run_id": later.name}
    (later / "run.json").write_text(json.dumps({"registry_entry": other}))
    assert rebuild(workspace).models[0].run_id == RUN


def test_rebuild_keeps_production_only_while_its_artefacts_stay(workspace):
    class Passed:
        passed, max_abs, not_run = True, 0.0, ""

        def __init__(self, artifact):
            self.artifact = artifact

        def failures(self):
            return []

    def verify(model_id):
        return [Passed("m.onnx"), Passed("m.mlpackage")]

    update(workspace.registry, lambda registry: set_status(registry, "m", "production", verify))
    assert rebuild(workspace).models[0].status == "production"
    workspace.artifact("m", ".onnx").write_bytes(b"hparg")
    entry = rebuild(workspace).models[0]
    assert entry.status == "trained"
    assert not entry.artifacts["onnx"].verified
    assert entry.artifacts["coreml"].verified


def test_rebuild_forgets_artefacts_that_are_gone(workspace):
    workspace.artifact("m", ".onnx").unlink()
    entry = rebuild(workspace).models[0]
    assert list(entry.artifacts) == ["coreml"]
    assert (entry.file, entry.exports["onnx_path"]) == ("m.mlpackage", None)


def test_rebuild_takes_up_artefacts_of_an_entry_that_has_no_checksums_yet(tmp_path):
    place = Workspace(tmp_path)
    exports = {"onnx_path": "a.onnx", "coreml_path": "a.mlmodel"}
    entry = ModelEntry(
        id="a", file="a.json", format="rtneural-json", task="t", status="trained", exports=exports
    )
    register(place, entry)
    for name in ("a.json", "a.onnx"):
        (place.models / name).write_text("weights")
    rebuilt = rebuild(place).models[0]
    assert sorted(rebuilt.artifacts) == ["onnx", "rtneural"]
    assert (rebuilt.file, rebuilt.format, rebuilt.exports["coreml_path"]) == ("a.json", "rtneural-json", None)
    for name in ("a.json", "a.onnx"):
        (place.models / name).unlink()
    assert (rebuild(place).models[0].file, rebuild(place).models[0].status) == (None, "stub")


def test_rebuild_of_nothing_is_empty(tmp_path):
    assert rebuild(Workspace(tmp_path)).models == []


def test_rebuild_leaves_a_damaged_run_out(workspace, caplog):
    (workspace.runs / RUN / "run.json").write_text("{ broken")
    assert rebuild(workspace).models[0].name == "em"  # from the old registry
    assert "run.json" in caplog.text
