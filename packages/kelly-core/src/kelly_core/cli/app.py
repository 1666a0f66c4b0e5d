"""The lazy command group: a table of names, modules and help lines; a module is imported when invoked."""

from __future__ import annotations

import importlib
import logging
from functools import partial
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from kelly_core.cli import console
from kelly_core.cli.light import lighten

COMMANDS: dict[str, tuple[str, str]] = {
    "list": ("kelly_core.cli.list", "Show installed models, datasets, exporters, devices and observers."),
    "doctor": ("kelly_core.cli.doctor", "Check Python, devices, plugins, exporters, data and registry."),
    "init": ("kelly_core.cli.init", "Make a workspace folder."),
    "data": ("kelly_core.cli.data", "Get, import, check, describe and precompute training data."),
    "config": ("kelly_core.cli.config", "Print a model's configuration as commented YAML or JSON Schema."),
    "train": ("kelly_core.cli.train", "Train a model."),
    "evaluate": ("kelly_core.cli.evaluate", "Measure a trained model, or run an evaluation protocol."),
    "export": ("kelly_core.cli.export", "Write a trained model in a deployable format, checked for parity."),
    "verify": ("kelly_core.cli.verify", "Check an exported file against its contract and checkpoint."),
    "package": ("kelly_core.cli.package", "Pack a trained model as a wheel that others install."),
    "bench": ("kelly_core.cli.bench", "Time exported files against the model's latency budget."),
    "predict": ("kelly_core.cli.predict", "Run a model on files or folders."),
    "registry": ("kelly_core.cli.registry", "List, show, validate and change the model registry."),
    "install": ("kelly_core.cli.install", "Install packages with models and other plugins."),
    "uninstall": ("kelly_core.cli.uninstall", "Remove packages of plugins."),
    "upgrade": ("kelly_core.cli.upgrade", "Bring Kelly's packages up to date."),
    "plugin": ("kelly_core.cli.plugin", "Write a new plugin package, or check an installed one."),
    "explain": ("kelly_core.cli.explain", "Say what an error's code means, and what to do."),
}
"""Command name -> (module with `command` or `app`, help line). Help is shown without importing the module."""

EXAMPLES = """\b
Examples:
  kelly list                               what is installed
  kelly doctor                             what works on this machine
  kelly train emotion --data demo          train on the built-in synthetic set
  kelly predict emotion clip.wav           run the trained model
  kelly explain data.label                 what that code of an error means
"""


class LazyGroup(TyperGroup):
    """A group whose commands are help-line stubs until one is invoked."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Names in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """A stub that has only the name and the help line."""
        if cmd_name not in COMMANDS:
            return None
        return TyperCommand(cmd_name, callback=None, help=COMMANDS[cmd_name][1])

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The real command of `args[0]`; this imports its module."""
        name, command, rest = super().resolve_command(ctx, args)
        if name in COMMANDS:
            command = load(name)
        return name, command, rest

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Accept `--debug` after the command too, where people add it."""
        if wants("--debug", args):
            args = ["--debug", *without_debug(args)]
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Run the command; Ctrl-C ends it with one line."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            typer.echo("interrupted", err=True)
            raise typer.Exit(130) from None


def build() -> Any:
    """The root command, ready for `.main(args)`."""
    root = typer.Typer(
        name="kelly",
        cls=LazyGroup,
        help="Train, check and ship small real-time music models.",
        epilog=EXAMPLES,
        no_args_is_help=True,
    )
    root.callback()(_globals)
    return lighten(typer.main.get_command(root))


def load(name: str) -> Any:
    """Import a command's module and build the command from its `command` function or `app` group.

    A module may name a `CLASS` of its own for the command.
    """
    module = importlib.import_module(COMMANDS[name][0])
    group = getattr(module, "app", None)
    if group is not None:
        if not isinstance(group, typer.Typer):
            return group
        loaded: Any = typer.main.get_group(group)
        loaded.name = name
    else:
        single = typer.Typer(add_completion=False)
        single.command(name, cls=getattr(module, "CLASS", None))(module.command)
        loaded = typer.main.get_command(single)
    loaded.help = loaded.help or COMMANDS[name][1]
    return lighten(loaded)


def wants(flag: str, args: list[str]) -> bool:
    """Whether a flag such as `--debug` stands anywhere before a `--`."""
    return flag in (args[: args.index("--")] if "--" in args else args)


def without_debug(args: list[str]) -> list[str]:
    """`args` without the `--debug` flags before a `--`."""
    end = args.index("--") if "--" in args else len(args)
    return [arg for arg in args[:end] if arg != "--debug"] + args[end:]


def _print_version(value: bool) -> None:
    if value:
        from kelly_core import __version__

        typer.echo(f"kelly {__version__}")
        raise typer.Exit


def _globals(
    ctx: typer.Context,
    workspace: Annotated[
        str | None,
        typer.Option(help="Workspace folder (default: KELLY_WORKSPACE, else the current folder)."),
    ] = None,
    no_plugins: Annotated[bool, typer.Option("--no-plugins", help="Use only what kelly-core brings.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
    version: Annotated[  # noqa: ARG001 - its callback does the work
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    if debug:
        _log_everything(ctx)
    settings = {"KELLY_WORKSPACE": workspace, "KELLY_NO_PLUGINS": "1" if no_plugins else None}
    for key, value in settings.items():
        if value is not None:
            console.set_for_command(ctx, key, value)


def _log_everything(ctx: typer.Context) -> None:
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s")
    ours = logging.getLogger("kelly_core")
    ctx.call_on_close(partial(ours.setLevel, ours.level))
    ours.setLevel(logging.DEBUG)
