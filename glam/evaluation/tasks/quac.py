"""QuAC: a student asks about a section that only the teacher sees (Choi et al., 2018, arXiv:1808.07036)."""

from collections.abc import Iterator

from glam.evaluation.answers import quac_f1
from glam.evaluation.benchmark import Benchmark
from glam.evaluation.dialogue import prompt, turn_id, turns
from glam.evaluation.fields import accepted_answers, texts
from glam.evaluation.paper import Paper
from glam.evaluation.task import Generation, Row


def expand(row: Row) -> Iterator[Row]:
    """A row a turn; the dialogue goes on with the answer that the student saw. Raises ValueError."""
    questions, gold = texts(row, "questions"), texts(row, "orig_answers", "texts")
    if len(gold) != len(questions):
        raise ValueError(f"field 'orig_answers.texts' has {len(gold)} answers to {len(questions)} questions")
    references = [texts(row, "answers", "texts", turn) for turn in range(len(questions))]
    for turn in range(len(questions)):
        accepted_answers(row, "answers", "texts", turn)
    passage = "\n".join(part.strip() for part in (row["background"], row["context"]) if part.strip())
    return turns(row["dialogue_id"], passage, questions, gold, references)


QUAC = Generation(
    name="quac",
    source=Benchmark(
        hub="allenai/quac",
        split="validation",
        fields={
            "dialogue_id": str,
            "background": str,
            "context": str,
            "questions": list,
            "answers": dict,
            "orig_answers": dict,
        },
        expand=expand,
        id=turn_id,
        cluster=lambda row: row["dialogue"],
    ),
    prompt=prompt,
    references=lambda row: row["references"],
    metrics={"f1": quac_f1},
    max_new_tokens=64,
    paper=Paper(
        title="QuAC",
        group="NLG",
        category="in-context reading comprehension",
        split="dev",
        shots=1,
        ours="wording (background and section, then turns of Q and A with gold answers, CANNOTANSWER among them); "
        "questions on which people disagree are kept, which the official score drops",
    ),
)
