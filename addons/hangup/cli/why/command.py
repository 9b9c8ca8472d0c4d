"""``hangup why``: what most probably ended the connections of a recording."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

EXAMPLES = """\b
Examples:
  hangup why                        the newest in recordings/
  hangup why --conn 3               why connection 3 ended, and those that ended alike
  hangup why run.jsonl --markdown   to paste into an issue
  hangup why run.jsonl --json | jq -r .verdict
  hangup why --example a3           one of the example recordings
  hangup why 'archive/**/*.jsonl'   very many, grouped into incidents; also a folder
  hangup why archive/ --scheduler tcp://10.0.0.5:8786 --parquet incidents.parquet

Once `hangup bisect` has proved the cause for a recording, that proof is shown.

Exit code: 0 when a cause is named or proved, or nothing is wrong; 3 when it is unknown (of many recordings: for any).
"""


@click.command(epilog=EXAMPLES)
@click.argument("recordings", nargs=-1, metavar="[RECORDING]...")
@click.option("--conn", type=click.IntRange(min=1), metavar="N", help="Explain only how connection N ended.")
@click.option(
    "--example",
    is_flag=False,
    flag_value="",
    metavar="[NAME]",
    help="Use one of the example recordings that come with hangup; without NAME, list them.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@click.option("--markdown", "as_markdown", is_flag=True, help="Print Markdown, to paste into an issue.")
@click.option("--github", "as_github", is_flag=True, help=(
    "Print an annotation without secrets, for a workflow of GitHub's."
))
@click.option("--parquet", type=click.Path(path_type=Path), metavar="FILE", help="Of many recordings: write the "
              "incidents to a Parquet file, without secrets.")
@click.option("--jobs", type=click.IntRange(min=1), metavar="N", help=(
    "Of many recordings: use N processes; by default one for each processor."
))
@click.option("--scheduler", metavar="ADDRESS", help=(
    "Of many recordings: use the workers of this Dask scheduler, which must see the same files."
))
def why(**given: Any) -> None:
    """Say why the connections of a recording ended: the most likely cause, how sure that is, and the evidence.

    RECORDING is a file in any format that hangup reads, or - for standard input. Several, a folder, or a pattern in
    quotes are analysed side by side and grouped into incidents: the same cause, on the same path, of the same release.
    """
    # They take long to import, and completion waits for what stands above.
    from hangup.cli.why.fleet import explain_many, is_for_many

    if is_for_many(given):
        explain_many(**given)
        return
    from hangup.cli.why.explain import explain

    explain(**given)
