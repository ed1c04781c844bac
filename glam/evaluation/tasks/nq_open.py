"""Natural Questions, open domain: what people asked a search engine (Kwiatkowski et al., 2019; Lee et al., 2019)."""

from glam.evaluation.answers import exact_match
from glam.evaluation.benchmark import Benchmark
from glam.evaluation.fields import accepted_answers
from glam.evaluation.paper import Paper
from glam.evaluation.task import Generation

NQ_OPEN = Generation(
    name="nq_open",
    source=Benchmark(
        hub="google-research-datasets/nq_open",
        split="validation",
        fields={"question": str, "answer": list},
    ),
    prompt=lambda row: f"Q: {row['question'].strip()}\nA:",
    references=lambda row: accepted_answers(row, "answer"),
    metrics={"exact_match": exact_match},
    max_new_tokens=24,
    paper=Paper(
        title="NQs",
        group="NLG",
        category="open-domain question answering",
        split="test",
        shots=64,
        ours="wording (GPT-3's Q and A, the question as published); the open set's validation split as the test set",
    ),
)
