"""StoryCloze: the right end of a story of four sentences (Mostafazadeh et al., 2016, arXiv:1604.01696)."""

from glam.evaluation.benchmark import Benchmark
from glam.evaluation.fields import place
from glam.evaluation.paper import Paper
from glam.evaluation.task import MultipleChoice

SENTENCES = tuple(f"input_sentence_{number}" for number in (1, 2, 3, 4))
ENDINGS = ("sentence_quiz1", "sentence_quiz2")

STORYCLOZE = MultipleChoice(
    name="storycloze",
    source=Benchmark(
        hub="LSDSem/story_cloze",
        subset="2016",
        split="test",
        pool="validation",
        fields={"story_id": str, **dict.fromkeys((*SENTENCES, *ENDINGS), str), "answer_right_ending": int},
        id=lambda row: row["story_id"],
    ),
    prompt=lambda row: " ".join(row[sentence].strip() for sentence in SENTENCES),
    choices=lambda row: [" " + row[ending].strip() for ending in ENDINGS],
    choices_in=ENDINGS,
    answer=lambda row: place("answer_right_ending", row["answer_right_ending"], (1, 2)),
    paper=Paper(
        title="StoryCloze",
        group="NLU",
        category="cloze and completion",
        split="test",
        shots=16,
        ours="the sentences with nothing around them; the release of 2016, whose test answers are public",
    ),
)
