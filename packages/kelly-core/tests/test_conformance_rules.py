"""Plugins that break a rule are caught, by the right rule, with reason and remedy."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from kelly_core.authoring import new_plugin
from kelly_core.testing import RULES, check_plugin, light

HEAD = """
from kelly_core.hookspecs import hookimpl
from kelly_core.specs import *
KELLY_API = 1
"""
DATASET = """
from pathlib import Path
from kelly_core.data import Dataset, Item
from kelly_core.errors import DataError
@hookimpl
def kelly_datasets():
    made = {made}
    ref = LazyRef("fake_key:open_it")
    return [DatasetSpec("key", "s", ("m",), ref, LazyRef("fake_key:recognises"), made, made)]
def recognises(path):
    {recognises}
def open_it(path, options):
    {opens}
"""
MODEL = '''
from typing import Literal
from pydantic import field_validator
from kelly_core.config import TrainConfig, setting
@hookimpl
def kelly_models():
    ref = LazyRef("fake_key:Key")
    return [ModelSpec("key", "keyfinder", "key", "s", ref, {task}, {predict})]
class Key(TrainConfig):
    model_id: str = "{model_id}"
    task: str = "key"
    {more}
def predict(file: str) -> None:
    """Predict."""
    1 / 0
'''
ONLY_RUN = (
    HEAD
    + """
from kelly_core.errors import KellyError
@hookimpl
def kelly_models():
    ref = LazyRef("fake_key:find")
    told = Pretrained("it took years", "fine-tune it elsewhere", "nowhere", "MIT", "nobody", ref, ref)
    return [ModelSpec("key", "keyfinder", "key", "s", pretrained=told)]
"""
)
RETURNS_NOTHING = "@hookimpl\ndef kelly_models():\n    return []\n"
GROWS = """width: int = setting(4, "grows")
    @field_validator("width")
    def _more(cls, value): return value + 1"""
LEAKS = """
from dataclasses import replace
def by_take(dataset):
    sides = dict(zip("123", ("train", "validation", "test")))
    return replace(dataset, items=[replace(item, split=sides[item.path[-5]]) for item in dataset.items])
"""


def model(task='LazyRef("fake_key:Key")', model_id="keyfinder", more="pass", predict=""):
    named = f'LazyRef("fake_key:{predict}")' if predict else "None"
    return HEAD + MODEL.format(task=task, model_id=model_id, more=more, predict=named)


def dataset(made=False, recognises="return False", opens="raise DataError('nothing here')"):
    return HEAD + DATASET.format(made=made, recognises=recognises, opens=opens)


@dataclass
class Written:
    """A package of one module, written by hand."""

    group: str
    code: str

    def install(self, fakes, _):
        fakes.write("fake-key", self.code, **{self.group: ["key"]})
        return "fake-key"


@dataclass
class Changed:
    """What `kelly plugin new` writes, with one text in one file changed."""

    file: str
    old: str
    new: str
    kind: str = "model"
    beside: str = ""

    def install(self, fakes, template: Callable):
        shutil.copytree(template(self.kind), fakes.folder / "kelly_key_finder")
        changed = fakes.folder / "kelly_key_finder" / self.file
        text = changed.read_text()
        assert text.count(self.old) == 1
        changed.write_text(text.replace(self.old, self.new))
        (changed.parent / "beside.py").write_text(self.beside)
        points = {f"{self.kind}s": "key-finder"} | (
            {"datasets": "key-finder-demo"} if self.kind == "model" else {}
        )
        info = fakes.folder / "kelly_key_finder-0.1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: kelly-key-finder\nVersion: 0.1.0\n")
        lines = [f"[kelly.{group}]\n{name} = kelly_key_finder.plugin\n" for group, name in points.items()]
        (info / "entry_points.txt").write_text("".join(lines))
        return "kelly-key-finder"


BUDGET = 'data_folder="keyfinder",'
BROKEN = [  # rule, how it is broken, part of the message
    ("imports", Written("models", "raise RuntimeError('no licence')"), "no licence"),
    ("kelly-api-is-declared", Written("models", "x = 1"), "KELLY_API = None"),
    ("names-agree", Written("models", HEAD + RETURNS_NOTHING), "the package declares ['key']"),
    (
        "lazy-references-lead-somewhere",
        Written("models", model(task="LazyRef('fake_key:Kee')")),
        "task_class = 'fake_key:Kee'",
    ),
    ("import-is-light", Written("models", model() + "import scipy.signal\n"), "imports scipy.signal"),
    (
        "import-is-light",
        Written("models", model() + "import time; time.sleep(0.7)\n"),
        "ms at best of 1; the budget is",
    ),
    (
        "configuration-fits-the-spec",
        Written("models", model(model_id="other")),
        "'other'; the spec says 'keyfinder'",
    ),
    ("configuration-round-trips-yaml", Written("models", model(more=GROWS)), "changed on the way: width"),
    (
        "unknown-keys-are-rejected",
        Written("models", model(more='model_config = {"extra": "ignore"}')),
        "no_such_setting_anywhere = 1 was accepted",
    ),
    (
        "wrong-settings-are-errors-of-ours",
        Written("models", model(more="batch_size: int = 0")),
        "batch_size=0 was accepted",
    ),
    (
        "unusable-folders-are-errors-of-ours",
        Written("datasets", dataset(opens="return 1 / 0")),
        "empty: it raised ZeroDivisionError",
    ),
    (
        "unusable-folders-are-errors-of-ours",
        Written("datasets", dataset(made=True, opens="Path(path).mkdir()")),
        "notes.txt: it raised FileExistsError",
    ),
    (
        "recognising-never-raises",
        Written("datasets", dataset(recognises="return True")),
        "recognises 'blank', which has no layout at all",
    ),
    (
        "recognising-never-raises",
        Written("datasets", dataset(recognises="return 1 / 0")),
        "ZeroDivisionError",
    ),
    (
        "items-are-usable",
        Written(
            "datasets",
            dataset(made=True, opens="return Dataset('key', path, [Item('a.mid', group='a')], synthetic=True)"),
        ),
        "'a.mid' is no absolute path",
    ),
    (
        "splits-leak-nothing",
        Changed(
            "demo.py",
            'return DEMO.listed(path, options, group="composer", licence=made, citation=made)',
            "from kelly_key_finder.beside import by_take\n    "
            'return by_take(DEMO.listed(path, options, group="composer", licence=made, citation=made))',
            beside=LEAKS,
        ),
        "leaks, the first: group 'composer 01' stands in train and validation",
    ),
    (
        "damaged-items-are-errors-of-ours",
        Changed("melodies.py", "(read_midi(path))", "(read_midi(path) if path.stat().st_size > 99 else 1 / 0)"),
        "preparing it raised ZeroDivisionError",
    ),
    (
        "declared-tensors-are-the-interface",
        Changed("plugin.py", '("batch", "notes", 2)', '("batch", "notes", 3)'),
        "input 'notes' is declared float32 ('batch', 'notes', 3), and is float32 ('batch', 'notes', 2)",
    ),
    (
        "items-match-the-declared-tensors",
        Changed("task.py", "batch).astype(int)]}", "batch).astype(int)].astype(float)}"),
        "batch 1: input 'notes': ",
    ),
    (
        "step-equals-whole",
        Changed("network.py", "self.head(heard)", "self.head(heard + heard.mean(1, keepdim=True))"),
        "logits: it differs by",
    ),
    (
        "loss-falls-on-demo-data",
        Changed("task.py", "F.cross_entropy(logits[:, -1], ", "F.cross_entropy(0 * logits[:, -1], "),
        "it went from 1.099 to 1.099",
    ),
    (
        "killed-and-resumed-is-exact",
        Changed(
            "task.py",
            "        logits, _ = model(",
            "        self.calls = getattr(self, 'calls', 0) + 1\n        logits, _ = model(self.calls / 10 * ",
        ),
        "best.pt differs in",
    ),
    (
        "exports-pass-parity",
        Changed("network.py", "self.head(heard)", "self.head(heard * float(notes.shape[1]))"),
        "notes 43",
    ),
    (
        "latency-is-reported",
        Changed("plugin.py", BUDGET, BUDGET + "latency_budget_ms=0.0,"),
        "latency_budget_ms is 0.0",
    ),
    (
        "bad-inputs-are-errors-of-ours",
        Changed(
            "plugin.py",
            "kelly_key_finder.predict:infer_file",
            "kelly_key_finder.beside:infer_file",
            beside="def infer_file(engine, path):\n    return path.read_text()\n",
        ),
        "infer_file('missing') raised FileNotFoundError",
    ),
    (
        "bad-inputs-are-errors-of-ours",
        Changed(
            "plugin.py",
            "kelly_key_finder.predict:predict_command",
            "kelly_key_finder.beside:predict",
            beside="def predict(file: str) -> None:\n    '''Predict.'''\n    1 / 0\n",
        ),
        "kelly predict ended with 1 over a bad file: error[internal]: internal error: ZeroDivisionError",
    ),
    (
        "unusable-files-are-errors-of-ours",
        Written("models", model(predict="predict")),
        "it ended with 1 and said: error[internal]: internal error: ZeroDivisionError",
    ),
    (
        "missing-weights-are-errors-of-ours",
        Written("models", ONLY_RUN + "def find(workspace):\n    raise KellyError('not here')\n"),
        "it doesn't say how to get them: not here",
    ),
    (
        "missing-weights-are-errors-of-ours",
        Written("models", ONLY_RUN + "def find(workspace):\n    return workspace.root / 'gone'\n"),
        "which is no folder that is there",
    ),
    (
        "unusable-weights-are-errors-of-ours",
        Written("models", ONLY_RUN + "def find(folder):\n    return (folder / 'config.json').read_text()\n"),
        "no-weights: it raised FileNotFoundError",
    ),
    (
        "probe-reports",
        Written(
            "devices",
            HEAD + "@hookimpl\ndef kelly_devices():\n    "
            "return [DeviceSpec('key', 's', LazyRef('fake_key:probe'))]\ndef probe():\n    return 1 / 0\n",
        ),
        "ZeroDivisionError",
    ),
    (
        "small-network-passes-parity",
        Written(
            "exporters",
            HEAD + "@hookimpl\ndef kelly_exporters():\n    ref = LazyRef('fake_key:export')\n"
            "    return [ExporterSpec('key', 's', '.key', ref, ref)]\n"
            "def export(bundle, path):\n    path.write_text('x')\n"
            "    (path.parent / 'beside').write_text('y')\n",
        ),
        "instead of 'reference.key' alone",
    ),
    (
        "state-passes-parity",
        Changed(
            "run.py",
            "inputs[one.name])) for",
            "inputs[one.name] * (one not in self.contract.state))) for",
            kind="exporter",
        ),
        "steps, batch 1",
    ),
    (
        "damaged-files-are-errors-of-ours",
        Written(
            "exporters",
            HEAD + "@hookimpl\ndef kelly_exporters():\n    ref = LazyRef('fake_key:run')\n"
            "    return [ExporterSpec('key', 's', '.key', ref, ref)]\n"
            "def run(path, contract, threads=0):\n    return object()\n",
        ),
        "as if it were whole",
    ),
    (
        "watching-never-raises",
        Written(
            "observers",
            HEAD + "@hookimpl\ndef kelly_epoch_finished(epoch, metrics):\n    print(metrics['uar'])\n",
        ),
        "kelly_epoch_finished raised KeyError: 'uar'",
    ),
    ("watching-never-raises", Written("observers", HEAD), "it implements none of kelly_run_started"),
]


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """Folder of the module of a freshly written package of a kind."""
    made = {}

    def find(kind):
        if kind not in made:
            folder = new_plugin("key-finder", kind, tmp_path_factory.mktemp(kind))
            made[kind] = folder / "src" / "kelly_key_finder"
        return made[kind]

    return find


@pytest.mark.parametrize(
    ("name", "how", "message"), BROKEN, ids=[f"{at}-{row[0]}" for at, row in enumerate(BROKEN)]
)
def test_a_broken_rule_is_named_with_why_and_how_to_mend_it(fakes, template, monkeypatch, name, how, message):
    monkeypatch.setattr(light, "TRIES", 1)
    monkeypatch.delenv("KELLY_DATA_ROOT", raising=False)
    if name == "exports-pass-parity":
        pytest.importorskip("kelly_export")
    report = check_plugin(how.install(fakes, template), rules=[name])
    (broken,) = report.failures
    assert broken.rule == name
    assert message in broken.detail
    assert broken.why == RULES[name].why
    assert broken.mend == RULES[name].mend
    assert not report.passed


def test_every_rule_is_broken_by_a_fixture():
    assert {row[0] for row in BROKEN} == set(RULES)


@pytest.mark.parametrize("name", RULES)
def test_every_rule_says_what_why_and_how(name):
    rule = RULES[name]
    assert rule.says.endswith(".")
    assert len(rule.why) > 20
    assert len(rule.mend) > 20
