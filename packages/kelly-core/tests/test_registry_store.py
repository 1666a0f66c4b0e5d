"""The registry file: the guidelines' example, clear faults, writers side by side, writers that are killed."""

import json
import subprocess
import sys
import time

import jsonschema
import pytest

from kelly_core.errors import RegistryError
from kelly_core.registry import ModelEntry, Registry, find, load, load_or_empty, register, update
from kelly_core.registry.store import schema, schema_path
from kelly_core.registry.validate import validate
from kelly_core.workspace import Workspace

GUIDELINES = {
    "registry_version": "1.1",
    "models": [
        {
            "id": "emotionrecognizer",
            "file": "emotionrecognizer.json",
            "format": "rtneural-json",
            "task": "emotion_embedding",
            "status": "trained",
            "training": {
                "epochs": 100,
                "train_loss": 0.05,
                "val_loss": 0.08,
                "git_commit": "abc123",
                "training_date": "2025-12-23T10:00:00",
            },
            "exports": {
                "onnx_path": "emotionrecognizer.onnx",
                "coreml_path": "emotionrecognizer.mlmodel",
            },
        }
    ],
}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "models" / "registry.json"


@pytest.fixture
def written(path):
    """Writes values, or text, as the registry."""

    def write(content):
        path.parent.mkdir(exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content, indent=2))
        return path

    return write


def stub(model_id, **fields):
    return ModelEntry(id=model_id, file=None, format=None, task="t", status="stub", **fields)


def test_the_guidelines_example_loads_and_fits_the_schema(written):
    registry = load(written(GUIDELINES))
    assert registry.models[0].training.val_loss == 0.08
    jsonschema.Draft202012Validator.check_schema(schema())
    jsonschema.validate(GUIDELINES, schema(), cls=jsonschema.Draft202012Validator)


def test_the_guidelines_example_is_valid_when_its_files_exist(written):
    path = written(GUIDELINES)
    for name in ("emotionrecognizer.json", "emotionrecognizer.onnx", "emotionrecognizer.mlmodel"):
        (path.parent / name).write_text("weights")
    assert [fault.severity for fault in validate(path)] == ["warning"]  # no schema beside it yet
    update(path, lambda registry: registry)
    assert validate(path) == []


def test_what_is_written_fits_the_schema_beside_it_and_keeps_every_value(written):
    path = written(GUIDELINES)
    update(path, lambda registry: registry)
    content = json.loads(path.read_text())
    jsonschema.validate(content, json.loads(schema_path(path).read_text()))
    before, after = GUIDELINES["models"][0], content["models"][0]
    assert {key: after[key] for key in before if key != "training"} | {
        "training": {key: after["training"][key] for key in before["training"]}
    } == before


@pytest.mark.parametrize(
    ("damage", "where", "words"),
    [
        (lambda text: text.replace('"status"', '"stauts"'), ":9", ["unknown key 'stauts'", "'status'"]),
        (lambda text: text.replace('"val_loss"', '"valloss"'), ":13", ["models[0].training", "'val_loss'"]),
        (lambda text: text.replace('"trained"', '"done"'), ":9", ["models[0].status", "'production'"]),
        (lambda text: text.replace('"epochs": 100', '"epochs": -1'), ":11", ["models[0].training.epochs"]),
        (lambda text: text.replace('"epochs": 100', '"epochs": "many"'), ":11", ["models[0].training.epochs"]),
        (lambda text: text.replace('"task": "emotion_embedding",', ""), ":4", ["models[0].task", "required"]),
        (lambda text: text.replace('"emotionrecognizer.onnx"', '"/abs.onnx"'), ":18", ["onnx_path"]),
        (lambda text: text.replace("0.05,", "0.05"), ":13", ["not JSON"]),
        (lambda text: text.replace('"1.1"', '"1.7"'), "", ["1.7 is newer"]),
        (lambda text: text.replace('"1.1"', '"two"'), ":2", ["registry_version"]),
        (lambda text: "[]", "", []),
        (lambda text: "", ":1", ["not JSON"]),
    ],
)
def test_a_fault_names_line_field_and_next_step(written, damage, where, words):
    path = written(damage(json.dumps(GUIDELINES, indent=2)))
    with pytest.raises(RegistryError) as caught:
        load(path)
    assert caught.value.where.startswith(f"{path}{where}")
    assert caught.value.hint
    assert all(word in caught.value.message for word in words), caught.value.message
    assert str(validate(path)[0]) == caught.value.message


def test_json_indented_with_tabs_still_names_the_field(written):
    text = json.dumps(GUIDELINES, indent="\t").replace('"trained"', '"done"')
    with pytest.raises(RegistryError, match=r"models\[0\].status"):
        load(written(text))


def test_one_id_twice_is_refused(written):
    twice = {**GUIDELINES, "models": GUIDELINES["models"] * 2}
    with pytest.raises(RegistryError, match="listed more than once"):
        load(written(twice))


def test_a_missing_registry_says_how_to_get_one(path):
    with pytest.raises(RegistryError, match="no registry yet"):
        load(path)
    assert load_or_empty(path) == Registry()


def test_a_faulty_registry_is_never_overwritten(written):
    path = written("{ broken")
    with pytest.raises(RegistryError):
        update(path, lambda registry: Registry())
    assert path.read_text() == "{ broken"


def test_a_change_that_fails_leaves_the_file_as_it_was(written):
    path = written(GUIDELINES)
    before = path.read_text()
    with pytest.raises(ZeroDivisionError):
        update(path, lambda registry: 1 / 0)
    assert path.read_text() == before


def test_a_model_is_found_by_id_short_name_and_snake_case(path):
    registry = Registry(models=[stub("emotionrecognizer", name="emotion")])
    assert {find(registry, name).id for name in ("emotion", "emotionrecognizer", "emotion_recognizer")} == {
        "emotionrecognizer"
    }
    with pytest.raises(RegistryError, match="did you mean 'emotionrecognizer'"):
        find(registry, "emotionrecogniser")


def test_register_replaces_by_id_and_keeps_the_date_of_birth(tmp_path):
    workspace = Workspace(tmp_path)
    register(workspace, stub("a", created_at="2025-01-01T00:00:00"))
    register(workspace, stub("b"))
    registry = register(workspace, stub("a", dataset="demo"))
    assert [(entry.id, entry.dataset) for entry in registry.models] == [("a", "demo"), ("b", None)]
    assert registry.models[0].created_at == "2025-01-01T00:00:00"
    assert load(workspace.registry) == registry


@pytest.mark.parametrize("status", ["production", "deprecated"])
def test_a_run_cannot_register_a_status_that_only_a_person_gives(tmp_path, status):
    with pytest.raises(RegistryError, match="can't register"):
        register(Workspace(tmp_path), stub("a").model_copy(update={"status": status}))


def test_a_lock_that_stays_taken_is_an_error(path):
    def meanwhile(registry):
        with pytest.raises(RegistryError, match="another process"):
            update(path, lambda inner: inner, timeout=0.05)
        return registry

    update(path, meanwhile)


WRITER = """
import sys
from pathlib import Path
from kelly_core.registry import changed, find, update
from kelly_core.registry.lookup import replaced

def count(registry):
    entry = find(registry, "shared")
    return replaced(registry, changed(entry, parameters=entry.parameters + 1))

print("ready", flush=True)
for _ in range(int(sys.argv[2])):
    update(Path(sys.argv[1]), count)
"""


@pytest.fixture
def writers(path):
    """Starts processes that each count the shared entry up; gives them once they have begun."""
    running = []

    def start(processes, times):
        update(path, lambda registry: Registry(models=[stub("shared", parameters=0)]))
        command = [sys.executable, "-c", WRITER, str(path), str(times)]
        running.extend(subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(processes))
        for writer in running:
            assert writer.stdout.readline() == b"ready\n"
        return running

    yield start
    for writer in running:
        writer.kill()
        writer.communicate()


def test_eight_processes_with_fifty_updates_each_lose_none(path, writers):
    assert [writer.wait() for writer in writers(8, 50)] == [0] * 8
    assert load(path).models[0].parameters == 400


def test_a_killed_writer_leaves_a_valid_file_and_no_litter(path, writers):
    seen = 0
    for writer in writers(6, 100_000):
        time.sleep(0.05)
        writer.kill()
        writer.wait()
        count = load(path).models[0].parameters
        assert count >= seen
        seen = count
    assert seen > 0
    (path.parent / ".registry-killed.json").write_text("half")
    update(path, lambda registry: registry)
    assert validate(path) == []
    assert sorted(file.name for file in path.parent.iterdir()) == [
        ".registry.json.lock",
        "registry.json",
        "registry.schema.json",
    ]
