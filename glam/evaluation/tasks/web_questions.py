"""WebQuestions: questions that people began to type, with answers in Freebase (Berant et al., 2013)."""

from glam.evaluation.answers import exact_match
from glam.evaluation.benchmark import Benchmark
from glam.evaluation.fields import accepted_answers
from glam.evaluation.paper import Paper
from glam.evaluation.task import Generation

WEB_QUESTIONS = Generation(
    name="web_questions",
    source=Benchmark(
        hub="stanfordnlp/web_questions",
        split="test",
        fields={"question": str, "answers": list},
    ),
    prompt=lambda row: f"Q: {row['question'].strip()}\nA:",
    references=lambda row: accepted_answers(row, "answers"),
    metrics={"exact_match": exact_match},
    max_new_tokens=24,
    paper=Paper(
        title="WebQs",
        group="NLG",
        category="open-domain question answering",
        split="test",
        shots=64,
        ours="wording (GPT-3's Q and A); any one of several answers is accepted",
    ),
)
