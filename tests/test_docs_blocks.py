"""Every command block in the pages runs as it stands, or a comment before it says why not.

`make test` reads all of them: each call of `kelly` is parsed by the real command. `make test-docs` also runs
each page from top to bottom, as one script in a folder of its own; those that need an empty folder run in
`make test`, too. CONTRIBUTING.md says what a page may write in comments.
"""

import ast
import doctest
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from typer.exceptions import TyperException

from kelly_core.errors import KellyError

ROOT = Path(__file__).resolve().parents[1]
GLOBS = ("*.md", "docs/**/*.md", "packages/*/README.md", "examples/**/README.md")
PAGES = sorted(file for pattern in GLOBS for file in ROOT.glob(pattern))
SHELL = {"sh", "bash", "console"}
OTHERS = {"cpp", "csv", "js", "json", "pycon", "python", "swift", "text", "toml", "yaml"}
MODELS = ("emotion", "melody", "harmony", "dynamics", "groove", "audio-autoencoder")
EAGER = {"--help", "--version", "--install-completion", "--show-completion"}
"""Options that do what they say while they are read."""
PLACE = re.compile(r"^<!-- run in: (.+) -->$", re.MULTILINE)
EMPTY, FILES, SMALL = "an empty folder", "a folder of files", "a small workspace"


@dataclass(frozen=True)
class Block:
    """A fenced block, or what stands in a comment that begins with `before`.

    Attributes:
        line: Number of its first line of code.
        language: As the fence names it.
        code: With the newline at its end.
        reason: Why it isn't run; empty when it is.
    """

    line: int
    language: str
    code: str
    reason: str = ""

    @property
    def runs(self):
        return self.language in {*SHELL, "python"} and not self.reason


def blocks(page):
    """The blocks of a page in order."""
    reason, opened = "", None
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        if opened is not None:
            if line == ("-->" if opened.language == "before" else "```"):
                yield replace(opened, language="sh") if opened.language == "before" else opened
                reason, opened = "", None
            else:
                opened = replace(opened, code=f"{opened.code}{line}\n")
        elif line == "<!-- before":
            opened = Block(number + 1, "before", "")
        elif line.startswith("```"):
            opened = Block(number + 1, line.removeprefix("```"), "", reason)
        elif reason and not line.startswith("<!--"):
            raise AssertionError(f"{page}:{number}: no block follows the comment 'not run: {reason}'")
        elif match := re.fullmatch(r"<!-- not run: (.+) -->", line):
            reason = match[1]
    assert opened is None, f"{page}:{opened.line}: the block has no end"


def name_of(page):
    return str(page.relative_to(ROOT))


every_page = pytest.mark.parametrize("page", PAGES, ids=name_of)


@every_page
def test_blocks_name_their_language_and_comments_are_understood(page):
    text = page.read_text(encoding="utf-8")
    assert {block.language for block in blocks(page)} <= SHELL | OTHERS
    assert re.findall(r"^[ \t]+```.*", text, re.MULTILINE) == [], "a block that is indented is not found here"
    assert set(PLACE.findall(text)) <= {EMPTY, FILES, SMALL}
    marks = re.findall(r"^<!-- not run:", text, re.MULTILINE)
    assert len(marks) == sum(bool(block.reason) for block in blocks(page))
    for block in blocks(page):
        if block.language == "python" and block.runs:
            ast.parse(block.code)


def calls_of_kelly(code):
    """The words behind each `kelly` in shell code, with the line that it stands in, from 0."""
    for number, line in enumerate(code.replace("\\\n", "  ").splitlines()):
        for part in re.split(r"&&|\|\|?|;", line.removeprefix("$ ")):
            words = shlex.split(part, comments=True)
            while words and re.fullmatch(r"\w+=.*", words[0]):
                del words[0]
            if words[:1] == ["kelly"] and not EAGER & {*words}:
                yield number, words[1:]


def parse(words):
    """Let the real commands read their arguments, without running them."""
    from kelly_core.cli.app import build

    context, command, name = None, build(), "kelly"
    while command is not None:
        context = command.make_context(name, list(words), parent=context)
        rest = [*context._protected_args, *context.args] if hasattr(command, "resolve_command") else []
        name, command, words = command.resolve_command(context, rest) if rest else (None, None, [])


@pytest.mark.parametrize("words", ["train emotion --nonsense", "nonsense emotion", "data nonsense", "verify"])
def test_a_wrong_call_is_found(words):
    with pytest.raises(TyperException):
        parse(words.split())


@every_page
def test_every_call_of_kelly_has_a_command_and_options_that_exist(page):
    wrong = []
    for block in blocks(page):
        for number, words in calls_of_kelly(block.code) if block.language in SHELL else ():
            if words[:1] == ["predict"] and block.reason and not {*words} & {*MODELS, "clap", "whisper-tiny"}:
                continue  # the command of a plugin that isn't installed here
            try:
                parse(words)
            except (KellyError, TyperException) as error:
                if "does not exist" not in str(error):  # a file of the reader's
                    wrong.append(f"{name_of(page)}:{block.line + number}: kelly {' '.join(words)}: {error}")
    assert wrong == []


@every_page
def test_calls_of_kelly_inside_sentences_have_options_that_exist(page):
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    wrong = []
    for span in re.findall(r"`(kelly [^`]+)`", text):
        for _, words in calls_of_kelly(span.replace("\n", " ")):
            try:
                parse(words)
            except (
                KellyError,
                TyperException,
            ) as error:  # what is left out or stands for something is no fault
                if "no such option" in str(error).lower():
                    wrong.append(f"{span}: {error}")
    assert wrong == []


@every_page
def test_examples_of_the_interpreter_say_what_comes_out(page):
    parser, runner = doctest.DocTestParser(), doctest.DocTestRunner(verbose=False)
    for block in blocks(page):
        if block.language == "pycon":
            runner.run(parser.get_doctest(block.code, {}, name_of(page), name_of(page), block.line))
    assert runner.summarize().failed == 0


def script(page):
    """The blocks of a page that run, in order, as one program of bash."""
    parts = []
    for block in blocks(page):
        if block.runs:
            is_python = block.language == "python"
            code = f"python - <<'END OF BLOCK'\n{block.code}END OF BLOCK\n" if is_python else block.code
            parts.append(f"echo '--- {name_of(page)}:{block.line}' >&2\n{code}")
    return "".join(parts)


def bash(code, folder, home):
    """Run code where a reader would, with this environment's `kelly` and nobody's settings."""
    dropped = {"KELLY_WORKSPACE", "KELLY_DATA_ROOT", "KELLY_PLUGINS", "PYTHONPATH"}
    kept = {key: value for key, value in os.environ.items() if key not in dropped}
    path = f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}"
    env = {**kept, "HOME": str(home), "PATH": path, "OMP_NUM_THREADS": "1", "NO_COLOR": "1", "COLUMNS": "110"}
    command = ["bash", "-euo", "pipefail", "-c", code]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-3000:]}"


@pytest.fixture(scope="session")
def inputs(tmp_path_factory):
    """A folder with sound and scores as a reader may have them, and a home with recordings: demo data."""
    folder = tmp_path_factory.mktemp("inputs")
    home, cache = folder / "home", folder / "demo" / "data" / "cache"
    home.mkdir()
    bash("\n".join(f"kelly --workspace demo data stats demo --model {model}" for model in MODELS), folder, home)
    clips = sorted(cache.glob("emotion-demo/*/*/*.wav"))
    for name, clip in zip(("clip", "song", "talk", "kick"), clips[::60], strict=False):
        shutil.copy(clip, folder / f"{name}.wav")
    for clip in clips:  # two takes of each of six performers
        if re.search(r"-0[1-6]-[12]\.wav$", clip.name):
            (home / "recordings" / clip.parent.name).mkdir(parents=True, exist_ok=True)
            shutil.copy(clip, home / "recordings" / clip.parent.name)
    files = {model: sorted(cache.glob(f"{model}-demo/**/*.mid")) for model in MODELS}
    single = {"beat": "groove", "drummer": "groove", "flat": "harmony", "seed": "melody", "melody": "harmony"}
    for number, (name, model) in enumerate(single.items()):
        shutil.copy(files[model][number], folder / f"{name}.mid")
    for name, model in {"beats": "groove", "seeds": "melody", "tunes": "harmony"}.items():
        shutil.copytree(files[model][0].parent, folder / name, ignore=lambda _, names: sorted(names)[20:])
    for samples in (folder / "samples", home / "samples"):
        shutil.copytree(next(cache.glob("embedding-demo/*/")), samples, ignore=lambda *_: ["complete.json"])
    shutil.copy(next(cache.glob("dynamics-demo/*/*/*.musicxml")), folder / "score.musicxml")
    shutil.rmtree(folder / "demo")
    return folder


@pytest.fixture(scope="session")
def small_workspace(inputs, tmp_path_factory):
    """The same, with `epochs: 1` in each file of configs/ and every model trained so on demo data."""
    folder = tmp_path_factory.mktemp("small") / "workspace"
    shutil.copytree(inputs, folder)
    lines = ["kelly init"]
    for model in MODELS:
        lines += [f"echo 'epochs: 1' >> configs/{model}.yaml", f"kelly train {model} --data demo --export-onnx"]
    bash("\n".join(lines), folder, folder / "home")
    return folder


def place_of(page):
    return next(iter(PLACE.findall(page.read_text(encoding="utf-8"))), FILES)


@pytest.fixture
def place(request, page, tmp_path):
    """A copy of the folder that the page asks for, with what lies in a clone beside it."""
    folder, asked = tmp_path / "here", place_of(page)
    if asked == EMPTY:
        (folder / "home").mkdir(parents=True)
    else:
        shutil.copytree(request.getfixturevalue("inputs" if asked == FILES else "small_workspace"), folder)
    for name in ("benchmarks", "examples", "packages"):
        (folder / name).symlink_to(ROOT / name)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, id=name_of(page), marks=[] if place_of(page) == EMPTY else pytest.mark.docs)
        for page in PAGES
        if script(page)
    ],
)
def test_a_page_runs_from_top_to_bottom(page, place):
    bash(script(page), place, place / "home")
