"""A verdict as Markdown, for pages that are not ours: the sentence, the tables of the terminal, what to know."""

from rich.table import Table

from glam.analysis.markdown import bullets, from_terminal, plain
from glam.analysis.table import verdict_tables
from glam.analysis.verdict import Verdict


def verdict_markdown(verdict: Verdict) -> str:
    """The same verdict gives the same text."""
    parts = [f"## {plain(verdict.study)}", f"**{plain(verdict.sentence)}**"]
    parts += [bullets(contrast.findings) for contrast in verdict.contrasts]
    parts += [from_terminal(each) for each in verdict_tables(verdict).renderables if isinstance(each, Table)]
    if verdict.caveats:
        parts += ["### What to know about it", bullets(verdict.caveats)]
    return "\n\n".join(parts) + "\n"
