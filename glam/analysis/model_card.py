"""What a registered model is, in Markdown: read before it is used, so its limits stand beside its scores."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from glam.analysis.formats import count, energy, number, percent
from glam.analysis.markdown import bullets, plain, table
from glam.analysis.verdict import Verdict
from glam.config import Experiment
from glam.records import EvalResult, RunSummary

LIMITS = (
    "It completes text like the text it was trained on. It follows no instructions and holds no conversation.",
    "It is a subject of an experiment, too small to be asked for facts, code to run, or advice to people.",
    "Nobody has examined it for harmful or biased text, and nothing keeps it from repeating what it was trained on.",
)


@dataclass(frozen=True)
class CardFacts:
    """All that a card says."""

    study: str
    experiment: Experiment
    summary: RunSummary
    data_report: Mapping[str, Any] | None
    """`report.json` of the selected corpus; None: not there any more."""
    scores: Sequence[EvalResult]
    verdict: Verdict | None
    """None: there is none yet."""


def model_card(facts: CardFacts, *, max_characters: int | None = None) -> str:
    """The same facts give the same text; what is longer than allowed loses its last scores and says how many."""
    num_scores = len(facts.scores)
    card = _card(facts, num_scores)
    while max_characters is not None and len(card) > max_characters and num_scores:
        num_scores -= 1
        card = _card(facts, num_scores)
    return card[:max_characters]


def _card(facts: CardFacts, num_scores: int) -> str:
    summary = facts.summary
    parts = [
        f"# {plain(facts.study)}: {plain(summary.arm)}, seed {summary.seed}",
        "## Architecture",
        _two_columns(_architecture(facts)),
        "## Data",
        _two_columns(_data(facts)),
        "## Scores",
        _scores(facts, num_scores),
        "## Energy of training",
        plain(
            energy(
                summary.energy_joules,
                summary.energy_low_joules,
                summary.energy_high_joules,
                summary.energy_method,
                summary.idle_watts,
            )
        ),
        "## Limits",
        bullets(LIMITS),
    ]
    if facts.verdict is not None:
        parts += ["## Verdict", plain(facts.verdict.sentence), bullets(facts.verdict.caveats)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _architecture(facts: CardFacts) -> dict[str, str]:
    model, summary = facts.experiment.model, facts.summary
    experts = "none: dense"
    if model.num_experts > 1:
        experts = f"{model.num_experts} in each mixture, {model.top_k} of them for a token"
    return {
        "parameters": count(summary.total_params),
        "active for a token": count(summary.active_params),
        "layers": str(model.num_layers),
        "experts": experts,
        "vocabulary": count(model.vocab_size),
        "longest row, tokens": count(model.sequence_length),
    }


def _data(facts: CardFacts) -> dict[str, str]:
    steps = (facts.data_report or {}).get("steps", {})
    documents = {side: steps.get(side, {}).get("documents") for side in ("train", "heldout")}
    return {
        "source": facts.experiment.data.source.name,
        "documents": count(documents["train"]),
        "held-out documents": count(documents["heldout"]),
        "tokens trained on": count(facts.summary.tokens),
    }


def _scores(facts: CardFacts, num_scores: int) -> str:
    rows: list[Sequence[object]] = [
        ("held-out loss on the curve, nats per token", "-", number(facts.summary.heldout_loss), "-")
    ]
    for score in facts.scores[:num_scores]:
        shown = number if score.metric == "cross_entropy" else percent
        ends = "-" if score.low is None or score.high is None else f"{shown(score.low)} to {shown(score.high)}"
        rows.append((f"{score.task}, {score.metric}", score.num_shots, shown(score.value), ends))
    shown = table(("task", "shots", "value", "95 % interval"), rows)
    left_out = len(facts.scores) - num_scores
    return f"{shown}\n\nand {left_out} more, with the run's artifacts" if left_out else shown


def _two_columns(facts: Mapping[str, str]) -> str:
    return table(("", ""), facts.items())
