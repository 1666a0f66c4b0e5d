"""What `kelly install`, `uninstall` and `upgrade` have in common: run the installer, show what changed."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import typer
from typer.core import TyperCommand

# All of it up here: an installer that replaces Kelly's own files must find nothing left to import.
from kelly_core.catalog import read_catalog
from kelly_core.cli import console
from kelly_core.cli.doctor import probe_limit
from kelly_core.errors import UserError
from kelly_core.health import Check, plugin_checks, trained_checks
from kelly_core.installed import Installed, read_installed
from kelly_core.installer import Job, find_installer, require_own_environment, run_installer
from kelly_core.isolation import probe_plugins

OPTIONS = "kelly.installer_options"


class Passing(TyperCommand):
    """A command that keeps what stands after `--` for the installer."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse what stands before `--`."""
        end = args.index("--") if "--" in args else len(args)
        ctx.meta[OPTIONS] = tuple(args[end + 1 :])
        return super().parse_args(ctx, args[:end])


def carry_out(
    job: Job, names: Sequence[str], ctx: Any, *, named: Collection[str], dry_run: bool, as_json: bool
) -> None:
    """Run the installer, then show what came, changed or went, and whether it works.

    Args:
        job: What to do.
        names: Requirements, or names of installed packages.
        ctx: The command's context, which has the installer's options.
        named: Packages to show even where nothing changed.
        dry_run: Only show the command line.
        as_json: Whether to print JSON.

    Raises:
        UserError: There is no installer that may do it.
        InstallError: The installer ended with an error.
        Exit: With 1 when something that was installed is broken.
    """
    options = ctx.meta[OPTIONS]
    require_own_environment(options)
    command = find_installer().command(job, names, options)
    limit_s = probe_limit()
    if dry_run:
        if as_json:
            console.print_json({"command": command, "dry_run": True})
        else:
            console.say(shlex.join(command))
        return
    before = read_installed()
    console.note(shlex.join(command))
    run_installer(command)
    after = read_installed()
    shown = [name for name in sorted(before | after) if name in named or _changed(before, after, name)]
    checks = _examine({name for name in shown if name in after}, limit_s)
    if as_json:
        packages = [_record(before.get(name), after.get(name)) for name in shown]
        report = {"command": command, "dry_run": False, "packages": packages}
        console.print_json({**report, "broken": [asdict(check) for check in checks]})
    else:
        _show(before, after, shown, checks)
    if checks:
        raise typer.Exit(1)


def require_names(job: Job, names: Sequence[str] | None, ctx: Any) -> list[str]:
    """The names given; none is fine where the installer's own options say what to do.

    Raises:
        UserError: There are neither names nor options.
    """
    if not names and not ctx.meta[OPTIONS]:
        raise UserError("no package is named", where="NAME", hint=f"`kelly {job} --help` has examples")
    return list(names or ())


def _changed(before: Mapping[str, Installed], after: Mapping[str, Installed], name: str) -> bool:
    """Whether a package of Kelly's, or for it, came, went or has another version now."""
    old, new = before.get(name), after.get(name)
    concerned = any(one is not None and one.is_kellys for one in (old, new))
    return concerned and (old and old.version) != (new and new.version)


def _examine(names: Collection[str], limit_s: float) -> list[Check]:
    """What is broken in the packages of these names, found as `kelly doctor` finds it."""
    entries = read_catalog()
    probes = probe_plugins([entry for entry in entries if entry.distribution in names], limit_s)
    trained = [entry for entry in read_catalog(("trained",)) if entry.distribution in names]
    checks = [*plugin_checks(entries, probes), *trained_checks(trained)]
    return [check for check in checks if check.verdict == "broken"]


def _record(old: Installed | None, new: Installed | None) -> dict[str, Any]:
    package = new or old
    assert package is not None
    return {
        "distribution": package.name,
        "before": old and old.version,
        "after": new and new.version,
        "brings": package.brings,
    }


def _show(
    before: Mapping[str, Installed],
    after: Mapping[str, Installed],
    shown: Sequence[str],
    checks: Sequence[Check],
) -> None:
    for name in shown:
        old, new = before.get(name), after.get(name)
        console.say(f"{console.paint(name, 'bold')}  {_what_happened(old, new)}")
        brings = (new or old or before[name]).brings
        for kind, plugins in brings.items():
            console.say(f"    {kind:9} {', '.join(plugins)}")
        if not brings:
            console.say("    brings no plugin of its own")
    if not shown:
        console.say("nothing of Kelly's changed")
    for check in checks:
        console.fail(f"{check.name}: {check.message}", "plugin.broken")
        console.note(f"  {console.paint('->', 'cyan')} {check.hint}")


def _what_happened(old: Installed | None, new: Installed | None) -> str:
    if new is None:
        return f"{old.version if old else ''} removed"
    if old is None:
        return f"{new.version} installed"
    return f"{new.version} was there" if old.version == new.version else f"{old.version} -> {new.version}"
