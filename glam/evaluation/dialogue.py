"""Questions about one passage in the order they were asked: a row a turn, after the gold turns before it.

Brown et al. (2020, arXiv:2005.14165, appendix G) ask CoQA and QuAC so.
"""

from collections.abc import Iterator, Sequence

from glam.evaluation.task import Row


def turns(
    dialogue: str, passage: str, questions: Sequence[str], gold: Sequence[str], references: Sequence[Sequence[str]]
) -> Iterator[Row]:
    """Rows of the turns: `gold` is what the dialogue goes on with, `references` what is accepted at each turn."""
    for turn, question in enumerate(questions):
        yield {
            "dialogue": dialogue,
            "turn": turn,
            "passage": passage.strip(),
            "earlier": list(zip(questions[:turn], gold[:turn], strict=True)),
            "question": question,
            "references": list(references[turn]),
        }


def turn_id(row: Row) -> str:
    """Dialogue and turn, counted from 0."""
    return f"{row['dialogue']}-{row['turn']}"


def prompt(row: Row) -> str:
    """The passage, the turns before with their gold answers, and the question."""
    earlier = "".join(f"Q: {question.strip()}\nA: {answer.strip()}\n" for question, answer in row["earlier"])
    return f"{row['passage']}\n{earlier}Q: {row['question'].strip()}\nA:"
