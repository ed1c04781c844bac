"""LAMBADA: the last word of a passage that cannot be guessed from its last sentence (Paperno et al., 2016)."""

from glam.evaluation.answers import first_word_matches
from glam.evaluation.benchmark import Benchmark
from glam.evaluation.paper import Paper
from glam.evaluation.task import Generation, Row


def cut(row: Row) -> tuple[str, str]:
    """The passage and its last word. Raises ValueError where there are no two words."""
    parts = row["text"].rsplit(maxsplit=1)
    if len(parts) < 2:
        raise ValueError(f"field 'text' is {row['text']!r:.60}, too short to end in a word of its own")
    return parts[0], parts[1]


LAMBADA = Generation(
    name="lambada",
    source=Benchmark(
        hub="EleutherAI/lambada_openai",
        split="test",
        pool=None,
        fields={"text": str},
    ),
    prompt=lambda row: cut(row)[0],
    references=lambda row: cut(row)[1:],
    metrics={"accuracy": first_word_matches},
    # A plain continuation does not tell that a single word is wanted; examples with a gap do (GPT-3, section 3.1.2).
    after_demonstrations=lambda row: f"{cut(row)[0]} ____. ->",
    max_new_tokens=10,
    paper=Paper(
        title="LAMBADA",
        group="NLG",
        category="cloze and completion",
        split="test",
        shots=9,
        ours="wording (GPT-3's: continuation, with demonstrations a gap to fill); the first word written counts, "
        "without punctuation around it",
    ),
)
