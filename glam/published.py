"""What was published of GLaM and the models beside it: scores of every task, the averages that the paper prints, and
what training took.

Source: GLaM (Du et al., 2022, arXiv:2112.06905), section 5 and its table of all tasks; at second hand, see the tags.
Other models: GPT-3 (arXiv:2005.14165), Gopher (arXiv:2112.11446), Megatron-Turing NLG (arXiv:2201.11990). Per cent.

Every number says how sure we are of it:

- `verified`: read off a table of the paper, or of another paper that reprints it (for GLaM: table 4 of PaLM,
  arXiv:2204.02311, and Papers with Code; for the others their own tables or those of Megatron-Turing NLG).
- `recalled`: from memory, not re-read. GLaM's and GPT-3's were checked, and some of them fitted, so that the averages
  the paper prints come out. Nothing checks Gopher's.
- `doubtful`: recalled, and sums or the bars of the paper's figure 1 say that it or a neighbour is slightly wrong.

So recomputing the paper's averages from this table is no independent evidence for the cells that are not `verified`.
A tag speaks of the score; numbers of shots are from memory but for some of GLaM's.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

Model = Literal["gpt3_175b", "glam_64b_64e", "gopher_280b", "megatron_turing_nlg_530b"]
Metric = Literal["accuracy", "exact_match", "f1", "f1a"]
Setting = Literal["zero", "one", "few"]
"""The column: "few" has as many shots as `num_shots` says, which is 1 for some of GLaM's and 0 for some of Gopher's."""
Tag = Literal["verified", "recalled", "doubtful"]
AverageOf = Literal["NLG", "NLU", "all"]


@dataclass(frozen=True, kw_only=True)
class PublishedScore:
    """A cell of the table."""

    model: Model
    task: str
    metric: Metric
    setting: Setting
    num_shots: int | None
    """None where we do not know it."""
    score: float
    """In per cent."""
    tag: Tag
    note: str | None = None
    """Other values in print, and what does not fit."""


@dataclass(frozen=True, kw_only=True)
class PublishedAverage:
    """An average as the paper prints it: a mean of its entries, but for "all" of few shots (see the note)."""

    model: Model
    of: AverageOf
    setting: Setting
    score: float
    tag: Tag
    note: str | None = None


_COLUMNS: tuple[tuple[Model, Setting], ...] = (
    ("gpt3_175b", "zero"),
    ("gpt3_175b", "one"),
    ("gpt3_175b", "few"),
    ("glam_64b_64e", "zero"),
    ("glam_64b_64e", "one"),
    ("glam_64b_64e", "few"),
    ("gopher_280b", "few"),
    ("megatron_turing_nlg_530b", "zero"),
    ("megatron_turing_nlg_530b", "one"),
    ("megatron_turing_nlg_530b", "few"),
)

# A cell is a score, then ~ if recalled or ? if doubtful, then (shots) in a few-shot column; - is no score.
_TABLE = """
                               GPT-3                    GLaM 64B/64E              Gopher     Megatron-Turing NLG
task           metric       zero   one    few         zero   one    few           few        zero  one   few
triviaqa       exact_match  64.3   68.0   71.2(64)    71.3   75.8   75.8(1)       57.1~(64)  -     -     -
nq_open        exact_match  14.6   23.0   29.9(64)    24.7   26.3   32.5(64)      28.2~(64)  -     -     -
web_questions  exact_match  14.4   25.3   41.5(64)    19.0   24.4~  41.1~(64)     -          -     -     -
lambada        accuracy     76.2   72.5   86.4(15)    64.2~  80.9   86.6~(9)      74.5(0)    76.6  73.1  87.2
hellaswag      accuracy     78.9   78.1   79.3(20)    76.6~  76.8~  77.2~(8)      79.2(0)    80.2  80.2  82.4
storycloze     accuracy     83.2   84.7   87.7(70)    82.5~  84.0~  86.7~(16)     -          -     -     -
winograd       accuracy     88.3   89.7   88.6(7)     87.2?  83.9~  88.6(2)       -          -     -     -
winogrande     accuracy     70.2   73.2   77.7(16)    73.5?  73.1~  79.2(16)      70.2(0)    73.0  73.7  78.9
drop           f1           23.6   34.3   36.5(20)    57.3   57.8   58.6(2)       -          -     -     -
coqa           f1           81.5   84.0   85.0(5)     78.8~  79.6~  79.6?(1)      -          -     -     -
quac           f1           41.5   43.4~  44.3(5)     40.3~  42.8~  42.7?(1)      -          -     -     -
squad_v2       f1           59.5   65.4   69.8(16)    71.1   71.8   71.8(10)      -          -     -     -
squad_v2       exact_match  52.6~  60.1~  64.9~(16)   64.7   66.5   67.0(10)      -          -     -     -
race_middle    accuracy     58.4   57.4   58.1(10)    64.0   65.6   66.9(8)       75.1~(5)   -     -     -
race_high      accuracy     45.5   45.9   46.8(10)    46.9~  48.7   49.3(2)       71.6(5)    47.9  48.4  47.9
piqa           accuracy     80.5   80.5   82.3(50)    80.4~  81.4   81.8~(32)     81.8(0)    82.0  81.0  83.2
arc_easy       accuracy     68.8   71.2   70.1(50)    68.0   76.6   78.9~(16)     -          -     -     -
arc_challenge  accuracy     51.4   53.2   51.5(50)    50.3   50.3~  52.0(3)       -          -     -     -
openbookqa     accuracy     57.6   58.8   65.4(100)   53.4~  55.2~  63.0~(32)     -          -     -     -
boolq          accuracy     60.5   76.7   77.5(32)    83.1?  82.8   83.1~(8)      -          78.2  82.5  84.8
copa           accuracy     91.0   87.0~  92.0~(32)   90.0?  92.0   93.0(16)      -          -     -     -
rte            accuracy     63.5~  70.4~  72.9~(32)   68.8?  71.5   76.2?(8)      -          -     -     -
wic            accuracy     0.0    48.6   55.3(32)    50.3   52.7   56.3~(4)      -          48.6  51.3  58.5
multirc        f1a          72.9~  72.9~  74.8~(32)   73.7   74.7   77.5(4)       -          -     -     -
wsc            accuracy     65.4~  69.2~  75.0~(32)   85.3   83.9   85.6(2)       -          -     -     -
record         accuracy     90.2~  90.2~  89.0~(32)   90.3   90.3   90.6(2)       -          -     -     -
cb             accuracy     46.4~  64.3~  82.1~(32)   48.2   73.2   84.8(8)       -          -     -     -
anli_r1        accuracy     34.6~  32.0~  36.8~(50)   39.2   42.4   44.3(2)       -          -     -     -
anli_r2        accuracy     35.4   33.9   34.0(50)    37.3~  40.0   41.2(10)      -          36.6  39.7  39.6
anli_r3        accuracy     34.5~  35.1~  40.2~(50)   41.3   40.8   44.7(4)       -          -     -     -
"""

_NOTES: dict[tuple[Model, str, Setting], str] = {
    ("gpt3_175b", "triviaqa", "few"): "on the test server, GLaM's table 5; the other scores of this task are of dev",
    ("gpt3_175b", "quac", "one"): "43.3 in GPT-3's table 3.7",
    ("gpt3_175b", "piqa", "few"): "as Megatron-Turing NLG prints it; 82.8 in GPT-3's text",
    ("glam_64b_64e", "triviaqa", "one"): "75.0 on the test server",
    ("glam_64b_64e", "nq_open", "few"): "PaLM prints one shot, but GLaM's one-shot score is another; 64 is from memory",
    ("glam_64b_64e", "web_questions", "zero"): "15.5 in the first version of the paper and in Papers with Code",
    ("glam_64b_64e", "web_questions", "few"): "PaLM prints 41.1 as GPT-3's",
    ("glam_64b_64e", "quac", "few"): "with one shot it should be the one-shot score",
    ("glam_64b_64e", "arc_easy", "one"): "Papers with Code also lists 74.8",
    ("glam_64b_64e", "arc_challenge", "one"): "48.2 in the first version of the paper and in Papers with Code",
    ("glam_64b_64e", "rte", "few"): "PaLM's best earlier few-shot score is 76.8 with five shots, of an unnamed model",
}

_CELL = re.compile(r"(?P<score>\d+\.\d)(?P<mark>[~?]?)(\((?P<shots>\d+)\))?")
_MARKS: dict[str, Tag] = {"": "verified", "~": "recalled", "?": "doubtful"}
_METRICS: dict[str, Metric] = {metric: metric for metric in get_args(Metric)}
_SHOTS: dict[Setting, int | None] = {"zero": 0, "one": 1, "few": None}


def _score(model: Model, task: str, metric: Metric, setting: Setting, cell: str) -> PublishedScore:
    parsed = _CELL.fullmatch(cell)
    assert parsed is not None, f"{task} of {model}, {setting}: {cell!r} is no cell"
    return PublishedScore(
        model=model,
        task=task,
        metric=metric,
        setting=setting,
        num_shots=int(parsed["shots"]) if parsed["shots"] else _SHOTS[setting],
        score=float(parsed["score"]),
        tag=_MARKS[parsed["mark"]],
        note=_NOTES.get((model, task, setting)),
    )


def _scores(row: str) -> Iterator[PublishedScore]:
    task, metric, *cells = row.split()
    for (model, setting), cell in zip(_COLUMNS, cells, strict=True):
        if cell != "-":
            yield _score(model, task, _METRICS[metric], setting, cell)


PUBLISHED_SCORES: tuple[PublishedScore, ...] = tuple(
    score for row in _TABLE.strip().splitlines()[2:] for score in _scores(row)
)
"""Every published score, task after task in the order above."""


def _averages(
    model: Model, of: AverageOf, zero: float, one: float, few: float, **notes: str
) -> Iterator[PublishedAverage]:
    by_setting: dict[Setting, float] = {"zero": zero, "one": one, "few": few}
    for setting, score in by_setting.items():
        note = notes.get(f"{setting}_note")
        yield PublishedAverage(model=model, of=of, setting=setting, score=score, tag="verified", note=note)


_NOT_THE_MEAN = "not the mean of the 30 entries but (NLG + 2 NLU) / 3, an inconsistency of the paper"

PUBLISHED_AVERAGES: tuple[PublishedAverage, ...] = (
    *_averages("gpt3_175b", "NLG", 47.6, 52.9, 58.8),
    *_averages("gpt3_175b", "NLU", 60.8, 65.4, 68.4),
    *_averages("gpt3_175b", "all", 56.9, 61.6, 65.2, few_note=_NOT_THE_MEAN),
    *_averages(
        "glam_64b_64e", "NLG", 54.6, 58.4, 61.6, few_note="our cells give 61.7: CoQA, QuAC or both are too high"
    ),
    *_averages("glam_64b_64e", "NLU", 66.2, 68.6, 71.4, one_note="PaLM prints 68.7"),
    *_averages("glam_64b_64e", "all", 62.7, 65.5, 68.1, few_note=_NOT_THE_MEAN),
)
"""The averages the paper prints: NLG over 9 entries (SQuADv2 by F1 and by exact match), NLU over 21, all over 30."""


def published_scores(task: str) -> Iterator[PublishedScore]:
    """Every published score of a task; none for a task that is not in the table."""
    return (score for score in PUBLISHED_SCORES if score.task == task)


def published_score(model: Model, task: str, setting: Setting, metric: Metric | None = None) -> PublishedScore | None:
    """The score of a model on a task, None where none was published.

    Without a metric it is the first of the task in the table, which for squad_v2 is f1.
    """
    found = (score for score in published_scores(task) if (score.model, score.setting) == (model, setting))
    return next((score for score in found if metric in (None, score.metric)), None)


def published_average(model: Model, of: AverageOf, setting: Setting) -> PublishedAverage | None:
    """An average as the paper prints it, None for a model of which it prints none."""
    found = (average for average in PUBLISHED_AVERAGES if (average.model, average.of) == (model, of))
    return next((average for average in found if average.setting == setting), None)


CostModel = Literal["gpt3_175b", "glam_64b_64e", "glm_130b"]
CostTag = Literal["verified", "recalled", "derived"]
"""Verified: read in the paper, in one that reprints it or in a digest. Derived: computed from other numbers here."""


@dataclass(frozen=True)
class PublishedNumber:
    """A number of the costs."""

    value: float
    tag: CostTag
    note: str | None = None


@dataclass(frozen=True, kw_only=True)
class PublishedCost:
    """What a training run took, and what the trained model takes. None: not published, as far as we know."""

    model: CostModel
    title: str
    """What tables call it; a model may have been costed at several numbers of tokens."""
    source: str
    tokens: PublishedNumber
    training_mwh: PublishedNumber
    """At the site's meter where `pue` is given."""
    net_tonnes_co2e: PublishedNumber
    pue: PublishedNumber | None
    grid_tonnes_per_mwh: PublishedNumber
    flops_per_token: PublishedNumber | None
    """At inference, forward."""
    accelerator: str
    num_accelerators: PublishedNumber
    hours: PublishedNumber
    watts_per_accelerator: PublishedNumber
    """Average, with what else the machine around it takes, unless the note says otherwise."""


_GLAM_FLOPS = PublishedNumber(180e9, "verified", "not twice the 96.6 G active parameters, which would be 193 G")
_GLAM_WATTS = PublishedNumber(326, "verified")
_GLAM_GRID = PublishedNumber(0.088, "recalled", "net of what the operator buys; 40.2 t / 456 MWh is as much")
_GLAM_CHIPS = PublishedNumber(1024, "verified")
_GLAM_PUE = PublishedNumber(1.11, "verified")

PUBLISHED_COSTS: tuple[PublishedCost, ...] = (
    PublishedCost(
        model="gpt3_175b",
        title="GPT-3",
        source="GLaM, table 1 and section 6; accelerators as Patterson et al. (arXiv:2104.10350) estimated them",
        tokens=PublishedNumber(300e9, "verified"),
        training_mwh=PublishedNumber(1287, "verified"),
        net_tonnes_co2e=PublishedNumber(552, "verified"),
        pue=PublishedNumber(1.10, "recalled"),
        grid_tonnes_per_mwh=PublishedNumber(0.429, "derived", "552 t / 1,287 MWh"),
        flops_per_token=PublishedNumber(350e9, "verified", "twice the 175 G parameters"),
        accelerator="V100",
        num_accelerators=PublishedNumber(10_000, "recalled"),
        hours=PublishedNumber(355, "recalled", "14.8 days"),
        watts_per_accelerator=PublishedNumber(330, "recalled"),
    ),
    PublishedCost(
        model="glam_64b_64e",
        title="GLaM, 600 B tokens",
        source="GLaM, table 1 and section 6",
        tokens=PublishedNumber(600e9, "verified"),
        training_mwh=PublishedNumber(456, "verified"),
        net_tonnes_co2e=PublishedNumber(40.2, "verified"),
        pue=_GLAM_PUE,
        grid_tonnes_per_mwh=_GLAM_GRID,
        flops_per_token=_GLAM_FLOPS,
        accelerator="TPU v4",
        num_accelerators=_GLAM_CHIPS,
        hours=PublishedNumber(1231, "derived", "what 456 MWh come to at 1,024 chips of 326 W"),
        watts_per_accelerator=_GLAM_WATTS,
    ),
    PublishedCost(
        model="glam_64b_64e",
        title="GLaM, 280 B tokens",
        source="GLaM, section 6: where it is about as good as GPT-3",
        tokens=PublishedNumber(280e9, "verified"),
        training_mwh=PublishedNumber(213, "verified"),
        net_tonnes_co2e=PublishedNumber(18.7, "recalled", "213 MWh x 0.088 t/MWh"),
        pue=_GLAM_PUE,
        grid_tonnes_per_mwh=_GLAM_GRID,
        flops_per_token=_GLAM_FLOPS,
        accelerator="TPU v4",
        num_accelerators=_GLAM_CHIPS,
        hours=PublishedNumber(574, "verified"),
        watts_per_accelerator=_GLAM_WATTS,
    ),
    PublishedCost(
        model="glm_130b",
        title="GLM-130B",
        source="GLM-130B (arXiv:2210.02414)",
        tokens=PublishedNumber(400e9, "verified"),
        training_mwh=PublishedNumber(442.4, "verified", "without what the site takes besides: no PUE fits"),
        net_tonnes_co2e=PublishedNumber(257.01, "verified", "of the grid, nothing taken off"),
        pue=None,
        grid_tonnes_per_mwh=PublishedNumber(0.5810, "verified"),
        flops_per_token=None,
        accelerator="A100",
        num_accelerators=PublishedNumber(768, "verified"),
        hours=PublishedNumber(1440, "verified", "60 days"),
        watts_per_accelerator=PublishedNumber(400, "derived", "what 442.4 MWh come to; also the chip's data sheet"),
    ),
)
"""GPT-3 first, which the others are held against."""
