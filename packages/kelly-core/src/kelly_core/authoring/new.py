"""A new plugin package from a template: names put in, folder written whole or not at all."""

from __future__ import annotations

import keyword
import re
import tempfile
from pathlib import Path

from kelly_core import API_VERSION, __version__
from kelly_core.catalog import Kind, read_catalog
from kelly_core.errors import UserError

TEMPLATES = Path(__file__).parent / "templates"
KINDS: tuple[Kind, ...] = ("model", "dataset", "exporter", "device")
SUFFIX = ".tmpl"
LONGEST = 40
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_TAKEN = ("core", "demo", "workspace", "all")


def new_plugin(name: str, kind: str, to: Path) -> Path:
    """Write a working package `kelly-NAME` into a folder of that name.

    Args:
        name: Public name of the plugin: lower case, words joined by hyphens.
        kind: One of `KINDS`.
        to: Folder that gets the new folder; made if missing.

    Returns:
        The new folder.

    Raises:
        UserError: The kind or name can't be used, or the folder is there already.
    """
    if kind not in KINDS:
        raise UserError(f"no plugin is a {kind!r}", where="--kind", hint=f"give one of {', '.join(KINDS)}")
    _check_name(name, kind)
    target = to.expanduser().absolute() / f"kelly-{name}"
    if target.exists():
        raise UserError(
            "is there already",
            where=str(target),
            hint="choose another name, or another --to",
            code="usage.output",
        )
    values = _values(name, kind)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".kelly-{name}-") as folder:
            part = Path(folder) / target.name
            for template in ("common", kind):
                _fill(TEMPLATES / template, part, values)
            part.replace(target)
    except OSError as error:
        raise UserError(
            f"can't be written ({error.strerror})",
            where=str(target),
            hint="choose another folder with --to",
            code="usage.output",
        ) from None
    return target


def _check_name(name: str, kind: str) -> None:
    if len(name) > LONGEST or not _NAME.fullmatch(name):
        raise UserError(
            f"{name!r} can't be a plugin's name",
            where="NAME",
            hint=f"lower-case letters, digits and single hyphens, at most {LONGEST}: key-finder",
            code="usage.plugin-name",
        )
    if name in _TAKEN or keyword.iskeyword(name) or name.startswith("kelly-"):
        raise UserError(
            f"the name {name!r} is taken",
            where="NAME",
            hint="leave out kelly-, or add a word",
            code="usage.plugin-name",
        )
    wanted = {(kind, name), ("dataset", f"{name}-demo")}
    owners = [e for e in read_catalog() if (e.kind, e.name) in wanted or e.distribution == f"kelly-{name}"]
    if owners:
        owner = owners[0]
        raise UserError(
            f"{owner.distribution} {owner.version} already brings a {owner.kind} {owner.name!r}",
            where="NAME",
            hint="choose another name: two plugins of one name are ambiguous",
            code="usage.plugin-name",
        )


def _values(name: str, kind: str) -> dict[str, str]:
    """What stands for what in the templates."""
    module = f"kelly_{name.replace('-', '_')}"
    groups = [(kind, name), *([("dataset", f"{name}-demo")] if kind == "model" else [])]
    points = [f'[project.entry-points."kelly.{group}s"]\n{own} = "{module}.plugin"' for group, own in groups]
    major, minor = __version__.split(".")[:2]
    return {
        "NAME": name,
        "PACKAGE": f"kelly-{name}",
        "MODULE": module,
        "CLASS": "".join(word.capitalize() for word in name.split("-")),
        "MODEL_ID": name.replace("-", ""),
        "TASK": name.replace("-", "_"),
        "SUMMARY": f"The {kind} {name} for Kelly.",
        "API": str(API_VERSION),
        "CORE": f"{major}.{minor}",
        "CORE_END": f"{major}.{int(minor) + 1}",
        "ENTRY_POINTS": "\n\n".join(points),
    }


def _fill(template: Path, target: Path, values: dict[str, str]) -> None:
    for source in sorted(template.rglob(f"*{SUFFIX}")):
        parts = source.relative_to(template).with_suffix("").parts
        named = [_part(part, values["MODULE"]) for part in parts]
        file = target.joinpath(*named)
        file.parent.mkdir(parents=True, exist_ok=True)
        text = source.read_text(encoding="utf-8")
        for key, value in values.items():
            text = text.replace(f"@{key}@", value)
        file.write_text(text, encoding="utf-8")


def _part(part: str, module: str) -> str:
    """`module` stands for the package's own, `dot-` for a leading dot."""
    part = re.sub(r"^dot-", ".", part)
    return re.sub(r"(?<![a-z])module(?![a-z])", module, part)
