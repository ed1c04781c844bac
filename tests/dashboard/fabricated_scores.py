"""Score folders of fabricated runs: tasks about held-out text, one of the paper's, and one that is written."""

from glam.analysis.evidence import RunEvidence, Score
from glam.records import EvalResult, ExpertLoad, ItemScore
from glam.store import FolderReference, Store, fingerprint
from glam.store.tables import write_table

NUM_ITEMS = 25
HOSTILE_TEXT = "<img src=x onerror=alert(1)> [a](http://example.invalid) $x$ :red[no] **bold**"
"""In a prompt and in an answer: shown as it is, or it is a defect."""


def write_scores(store: Store, run: FolderReference, evidence: RunEvidence) -> None:
    """What the run's evidence has, and two of the paper's tasks beside it."""
    for score in evidence.scores.values():
        write_score(store, run, score, experts=run.label.startswith("sparse"))
    write_score(store, run, _chosen(run.label), experts=False)
    write_score(store, run, _written(run.label), experts=False)


def write_score(store: Store, run: FolderReference, score: Score, *, experts: bool) -> None:
    """One folder, as evaluation leaves it."""
    task, shots = score.result.task, score.result.num_shots
    mark = fingerprint({"task": task, "num_shots": shots}, reads=[run.fingerprint], revision=1)
    with store.claim("scores", f"{run.label}-{task}-{shots}shot", mark) as folder:
        write_table(folder, "items.parquet", score.items)
        folder.write_text("result.json", score.result.model_dump_json(indent=1))
        if experts:
            load = tuple(
                tuple(100 + 60 * ((expert + len(task) + layer) % 3) for expert in range(8)) for layer in (0, 1)
            )
            folder.write_text("experts.json", ExpertLoad(step=0, load_LE=load).model_dump_json())
        folder.commit(config={"task": task, "num_shots": shots, "seed": 0}, reads=[str(run)], revision=1)


def _chosen(label: str) -> Score:
    """arc_easy: the sparse runs are right where the number is even, the dense ones at multiples of three."""
    every = 2 if label.startswith("sparse") else 3
    items = tuple(
        ItemScore(
            item_id=f"arc{number}",
            cluster=f"c{number}",
            value=float(number % every == 0),
            prompt=f"Question {number}: {HOSTILE_TEXT}\nAnswer:",
            choices=(" yes", f" {HOSTILE_TEXT}"),
            right=(0,),
            log_likelihoods=(-1.0, -2.0 - number),
            choice_tokens=(1, 4),
            chosen=0 if number % every == 0 else 1,
        )
        for number in range(NUM_ITEMS)
    )
    return _score("arc_easy", "accuracy", items, chance=0.5, majority=0.52)


def _written(label: str) -> Score:
    items = tuple(
        ItemScore(
            item_id=f"trivia{number}",
            cluster=f"t{number}",
            value=float(number % 5 == 0),
            prompt=f"Q: what is {number}?\nA:",
            generation=f"{label} says {HOSTILE_TEXT}",
            references=("this", "that"),
        )
        for number in range(NUM_ITEMS)
    )
    return _score("triviaqa", "exact_match", items)


def _score(
    task: str, metric: str, items: tuple[ItemScore, ...], *, chance: float | None = None, majority: float | None = None
) -> Score:
    value = sum(item.value or 0.0 for item in items) / len(items)
    return Score(
        EvalResult(
            task=task,
            num_shots=0,
            metric=metric,
            value=value,
            low=max(0.0, value - 0.1),
            high=min(1.0, value + 0.1),
            num_examples=len(items),
            chance=chance,
            majority=majority,
        ),
        items,
    )
