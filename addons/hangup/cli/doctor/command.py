"""``hangup doctor``."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import msgspec

from hangup.cli.screen import Screen, safe

MARKS = {"fine": ("✓", "green"), "note": ("!", "yellow"), "problem": ("✗", "bold red")}

EXAMPLES = """\b
Examples:
  hangup doctor
  hangup doctor --env-var NEXT_PUBLIC_WS_URL     as `hangup run` would be told
  hangup doctor --json
"""


@click.command(epilog=EXAMPLES)
@click.option(
    "--env-var",
    "names",
    multiple=True,
    metavar="NAME",
    help="The variable that holds the backend's URL, as for `hangup run`. Repeatable.",
)
@click.option(
    "--env-dir",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder with the .env files; by default the working directory.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs, with every known advisory.")
def doctor(names: tuple[str, ...], env_dir: Path | None, as_json: bool) -> None:
    """Check what hangup needs: versions and their security advisories, settings, permissions, ports, proxies, the
    clock, and what `hangup run` would find here.

    Exit code 0 if there is no problem (a note is none), 1 if there is one. Nothing is changed.
    """
    from hangup.cli.doctor import advisories
    from hangup.cli.doctor.checks import all_checks

    checks = []
    screen = Screen(highlight=False, markup=False, emoji=False, soft_wrap=True)
    for check in all_checks(names, env_dir):
        checks.append(check)
        if not as_json:
            mark, style = MARKS[check.level]
            screen.print(safe(f"{mark} {check.about:<11} ", style) + safe(check.text))
            if check.do:
                screen.print(safe(f"{'':14}{check.do}", "dim"))
    failed = any(check.level == "problem" for check in checks)
    if as_json:
        found = [{"installed": each.installed, **msgspec.to_builtins(each.advisory)} for each in advisories.found()]
        said = {"problem": failed, "checks": checks, "advisories": found, "advisories_checked": advisories.checked()}
        click.echo(msgspec.json.format(msgspec.json.encode(said), indent=2).decode())
    sys.exit(1 if failed else 0)
