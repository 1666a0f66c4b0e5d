"""Filling the template and writing the card beside copies of its pictures."""

from __future__ import annotations

import re
import shutil
from importlib import resources
from pathlib import Path

from kelly_core import atomic
from kelly_core.cards.data import CardData, Figure
from kelly_core.cards.sections import sections
from kelly_core.errors import ConfigError
from kelly_core.registry.lookup import nearest
from kelly_core.workspace import Workspace

_COMMENT = re.compile(r"\{#.*?#\}\n?", re.DOTALL)
_PLACEHOLDER = re.compile(r"\{\{\s*([^{}]*?)\s*\}\}")
_DEFAULT = "MODEL_CARD_TEMPLATE.md"


def write_card(workspace: Workspace, data: CardData, to: Workspace | None = None) -> Path:
    """Write `docs/model_cards/<id>.md` and copy the pictures to a folder beside it.

    The template is `docs/MODEL_CARD_TEMPLATE.md` of the workspace, else the package's own.

    Args:
        workspace: Has the template and the pictures.
        data: What the card says.
        to: Gets the card; None for the same workspace.

    Returns:
        The card.

    Raises:
        ConfigError: The workspace's template has an unknown placeholder; names the line.
    """
    template = template_text(workspace)
    check_template(template, workspace.card_template)
    path = card_path(to or workspace, data.entry.id)
    figures = _copied(workspace, data, path.with_suffix(""))
    contents = sections(data, figures)
    body = fill(template, contents)
    if contents["banner"] and contents["banner"] not in body:
        body = contents["banner"] + "\n\n" + body  # no template may hide it
    atomic.write_text(path, body)
    return path


def card_path(workspace: Workspace, model_id: str) -> Path:
    """`docs/model_cards/<id>.md`."""
    return workspace.cards / f"{model_id}.md"


def default_template() -> str:
    """The package's template; its comment lists the placeholders."""
    return (resources.files(__package__) / _DEFAULT).read_text(encoding="utf-8")


def template_text(workspace: Workspace) -> str:
    """The workspace's template, else the package's."""
    own = workspace.card_template
    return own.read_text(encoding="utf-8") if own.exists() else default_template()


def check_template(template: str, path: Path) -> None:
    """Refuse placeholders that no card has.

    Raises:
        ConfigError: Names file, line, placeholder and the nearest known one.
    """
    known = placeholders()
    blanked = _COMMENT.sub(lambda match: "\n" * match[0].count("\n"), template)
    for number, line in enumerate(blanked.splitlines(), 1):
        for name in _PLACEHOLDER.findall(line):
            if name not in known:
                raise ConfigError(
                    f"unknown placeholder {name!r}{nearest(name, known)}",
                    where=f"{path}:{number}",
                    hint=f"known: {', '.join(known)}",
                )


def placeholders() -> tuple[str, ...]:
    """Names that a template may use, in the default's order."""
    return tuple(dict.fromkeys(_PLACEHOLDER.findall(_COMMENT.sub("", default_template())))) + _SCALARS


_SCALARS = ("name", "task", "status", "version", "summary")


def fill(template: str, contents: dict[str, str]) -> str:
    r"""The template with comments dropped, placeholders filled once, and no double blank lines.

    >>> fill("{# why #}# {{ id }}", {"id": "a {{ b }}"})
    '# a {{ b }}\n'
    """
    text = _PLACEHOLDER.sub(lambda match: contents[match[1]], _COMMENT.sub("", template))
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def _copied(workspace: Workspace, data: CardData, folder: Path) -> list[Figure]:
    """Pictures beside the card; one whose original is gone stays if it was copied before."""
    figures = []
    for one in data.figures:
        source = workspace.root / one.path
        target = folder / source.name
        if source.exists():
            with atomic.replacing(target) as part:
                shutil.copyfile(source, part)
        if target.exists():
            figures.append(Figure(f"{folder.name}/{target.name}", one.caption))
    return figures
