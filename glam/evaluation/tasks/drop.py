"""DROP: counting, sorting and adding over a paragraph (Dua et al., 2019, arXiv:1903.00161)."""

from glam.evaluation.answers import drop_exact_match, drop_f1
from glam.evaluation.benchmark import Benchmark
from glam.evaluation.fields import accepted_answers
from glam.evaluation.paper import Paper
from glam.evaluation.task import Generation

DROP = Generation(
    name="drop",
    source=Benchmark(
        hub="ucinlp/drop",
        split="validation",
        # No `id`: published query_ids repeat (huggingface/datasets issue 2542).
        fields={"section_id": str, "passage": str, "question": str, "answers_spans": dict},
        cluster=lambda row: row["section_id"],
    ),
    prompt=lambda row: f"{row['passage'].strip()}\nQ: {row['question'].strip()}\nA:",
    references=lambda row: accepted_answers(row, "answers_spans", "spans"),
    metrics={"f1": drop_f1, "exact_match": drop_exact_match},
    paper=Paper(
        title="DROP",
        group="NLG",
        category="in-context reading comprehension",
        split="dev",
        shots=2,
        ours="wording (passage, Q and A); each published span is an accepted answer, for the hub does not say which "
        'belong together; in one with "and", and in what is compared with it, that and commas part the spans',
    ),
)
