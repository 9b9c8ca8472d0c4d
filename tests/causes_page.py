"""Writes what docs/CAUSES.md has of the causes' files: ``cd tests && uv run python -m causes_page``."""

from __future__ import annotations

from pathlib import Path

from hangup.diagnosis import causes
from hangup.diagnosis.causes import catalogue

PAGE = Path(__file__).parents[1] / "docs" / "CAUSES.md"
BEGIN, END = "<!-- causes: made by tests/causes_page.py -->", "<!-- end of causes -->"


def page(text: str) -> str:
    """The page with the causes as they are."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    made = "\n".join(catalogue.markdown(causes.load(*causes.folders()).values()))
    return f"{before}{BEGIN}\n\n{made}\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text("utf-8")), "utf-8")
