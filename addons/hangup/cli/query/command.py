"""``hangup query``: its command line."""

from __future__ import annotations

from typing import Any

import click
from click.shell_completion import CompletionItem

EXAMPLES = """\b
Examples:
  hangup query                                  what can be asked, and the tables
  hangup query top-endings                      of the recordings in recordings/
  hangup query lifetimes 'archive/**/*.jsonl'
  hangup query new-since --since 7d out.parquet
  hangup query "select route, count(*) from endings where code = 1011 group by route"
  hangup query kinds --csv > kinds.csv
  hangup query by-path --sql                    the SELECT behind a name, to start from
"""

ROWS = 50
"""So many rows are shown where nobody says how many."""


class QuestionType(click.ParamType):  # type: ignore[type-arg]
    """The name of a question, or SQL."""

    name = "question"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """The names."""
        from hangup.tables.questions import QUESTIONS

        return [CompletionItem(name, help=each.says) for name, each in QUESTIONS.items() if name.startswith(incomplete)]


@click.command(epilog=EXAMPLES)
@click.argument("question", required=False, type=QuestionType())
@click.argument("recordings", nargs=-1)
@click.option("--since", metavar="TIME", help="For new-since: a date, or how long before the end, such as 7d or 12h.")
@click.option("--rows", type=click.IntRange(min=0), default=ROWS, show_default=True, help="The first N; 0: all.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs; all rows.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV, for spreadsheets; all rows.")
@click.option("--sql", "only_sql", is_flag=True, help="Print the SELECT behind QUESTION.")
@click.option("--jobs", type=click.IntRange(min=1), metavar="N", help="Read with N processes; by default one for each "
              "processor.")
@click.option("--redact", "patterns", multiple=True, metavar="PATTERN", help="Also hide what this regular expression "
              "matches.")
@click.option("--no-redact", is_flag=True, help="Keep passwords, tokens and cookies.")
def query(**given: Any) -> None:
    """Ask many recordings at once: a QUESTION that is ready, by its name, or any SELECT.

    RECORDINGS are files, folders, patterns in quotes ('recordings/*.jsonl'), or the out.parquet that `hangup convert
    'recordings/*.jsonl' out.parquet` has written; by default recordings/. Without QUESTION, the questions and the
    tables are listed. The tables are recordings, connections, endings, loops, frames, messages, pings and findings, in
    DuckDB's SQL. A SELECT reads nothing else, and changes nothing. What was read once is kept, so that the next
    question is answered sooner.

    Secrets are hidden as in `hangup convert`, each as [redacted].
    """
    from hangup.cli.query.asking import carry_out  # long to import, and completion waits for what stands above

    carry_out(**given)
