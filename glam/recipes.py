"""RECIPES: named studies, each a function that returns a Study."""

from collections.abc import Callable
from functools import partial

from glam.config import (
    DataConfig,
    EvalConfig,
    Experiment,
    FilterConfig,
    SourceConfig,
    SplitConfig,
    TokenizerConfig,
    TrainConfig,
    replace,
)
from glam.study import Study, dense_twin
from glam.variants import VARIANTS

PYTHON_DOCS = DataConfig(
    source=SourceConfig(name="python_docs", max_megabytes=40.0),
    split=SplitConfig(heldout_fraction=0.08),
    tokenizer=TokenizerConfig(train_megabytes=4.0),
)

GOPHER_FILTERS = FilterConfig(
    min_characters=None,
    max_characters=None,
    max_symbol_fraction=None,
    max_digit_fraction=None,
    min_words=50,
    max_words=100_000,
    min_mean_word_characters=3.0,
    max_mean_word_characters=10.0,
    max_hashes_per_word=0.1,
    max_ellipses_per_word=0.1,
    max_bullet_line_fraction=0.9,
    max_ellipsis_line_fraction=0.3,
    min_lettered_word_fraction=0.8,
    min_stop_words=2,
    max_repeated_line_fraction=0.30,
    max_repeated_line_character_fraction=0.20,
    max_repeated_paragraph_fraction=0.30,
    max_repeated_paragraph_character_fraction=0.20,
    max_top_ngram_fractions=(0.20, 0.18, 0.16),
    max_repeated_ngram_fractions=(0.15, 0.14, 0.13, 0.12, 0.11, 0.10),
)
"""Gopher's rules for MassiveText, as published."""
WEB_FILTERS = replace(
    GOPHER_FILTERS,
    min_sentences=5,
    allow_lorem_ipsum=False,
    allow_curly_brackets=False,
    max_boilerplate_line_fraction=0.1,
    language="en",
)
"""Those and C4's, for web pages. C4 drops lines about JavaScript and cookies; one in ten of them costs us the page."""


NO_FILTERS = FilterConfig(
    max_characters=None,
    min_characters=1,
    max_symbol_fraction=None,
    max_digit_fraction=None,
    min_mean_word_characters=None,
    max_mean_word_characters=None,
    min_stop_words=None,
    max_repeated_line_fraction=None,
)
"""All text that is text."""

QUICKSTART_LEARNING_RATE = 0.04
"""The best for the *dense* arm of 0.01, 0.02, 0.04 and 0.08: held-out loss 4.963, 4.719, 4.433 and 4.522 nats after
480 steps with seed 100, which no recipe reports. (AdamW on the same grid idea: 5.488 at 0.002, 5.304 at 0.004.)"""


def quickstart() -> Study:
    """Sparse against its dense twin on the documentation that lies on this machine; minutes on two cores."""
    sparse = Experiment(
        data=PYTHON_DOCS,
        model=VARIANTS["ladder_1m_8e"],
        train=TrainConfig(
            num_steps=400,
            global_batch_size=8,
            learning_rate=QUICKSTART_LEARNING_RATE,
            warmup_steps=30,
            flat_steps=150,
            heldout_every=50,
        ),
    )
    return _pair("quickstart", quickstart.__doc__, sparse, seeds=(0, 1))


def learning_rates() -> Study:
    """The quickstart's dense model at four learning rates, with a seed that no other recipe reports."""
    dense = quickstart().arms["dense"]
    rates = (0.01, 0.02, QUICKSTART_LEARNING_RATE, 0.08)
    arms = {f"rate_{rate}": replace(dense, train={"learning_rate": rate}) for rate in rates}
    chosen = f"rate_{QUICKSTART_LEARNING_RATE}"
    return Study(
        name=learning_rates.__name__,
        description=learning_rates.__doc__ or "",
        arms=arms,
        pairs=tuple((arm, chosen) for arm in arms if arm != chosen),
        varies=("train.learning_rate",),
        seeds=(100,),
    )


LADDER_RUNGS = {
    "1m": (600, QUICKSTART_LEARNING_RATE, (0, 1, 2)),
    "4m": (800, 0.04, (0,)),
    "16m": (1000, 0.02, (0,)),
}
"""Steps, learning rate, seeds. Rates are the best for the *dense* arm: held-out loss after 200 steps of 4m 5.000 at
0.04 and 5.020 at 0.02; after 120 of 16m 5.388, 5.280 and 5.447 at 0.01, 0.02 and 0.04, each with seed 100."""


def ladder(*sizes: str) -> Study:
    """Three sizes, each dense and with 8 and 32 experts at equal FLOPs per token; hours on two cores, in pieces.

    With sizes named, those alone: `ladder_1m` is a part of `ladder`, and its runs are the same folders.
    """
    name = "_".join(("ladder", *sizes))
    sizes = sizes or tuple(LADDER_RUNGS)
    arms: dict[str, Experiment] = {}
    pairs: list[tuple[str, str]] = []
    for size in sizes:
        num_steps, learning_rate, _ = LADDER_RUNGS[size]
        train = TrainConfig(
            num_steps=num_steps,
            global_batch_size=8,
            learning_rate=learning_rate,
            warmup_steps=30,
            flat_steps=num_steps // 2,
            heldout_every=num_steps // 10,
        )
        sparse = Experiment(data=PYTHON_DOCS, model=VARIANTS[f"ladder_{size}_8e"], train=train)
        dense, few, many = f"{size}_dense", f"{size}_8e", f"{size}_32e"
        arms[dense] = replace(sparse, model=dense_twin(sparse.model))
        arms[few], arms[many] = sparse, replace(sparse, model=VARIANTS[f"ladder_{size}_32e"])
        pairs += [(few, dense), (many, dense)]
    return Study(
        name=name,
        description=(ladder.__doc__ or "").partition("\n")[0],
        arms=arms,
        pairs=tuple(pairs),
        seeds=(0,),
        arm_seeds={arm: LADDER_RUNGS[arm.partition("_")[0]][2] for arm in arms},
    )


def smoke() -> Study:
    """Every step of the road at toy size: shows that the machinery works, says nothing about models."""
    sparse = Experiment(
        data=DataConfig(
            source=SourceConfig(name="python_docs", max_megabytes=1.5, num_shards=2),
            tokenizer=TokenizerConfig(vocab_size=512, train_megabytes=1.0),
            split=SplitConfig(heldout_fraction=0.15),
            sequence_length=64,
        ),
        model=VARIANTS["toy_4e"],
        train=TrainConfig(num_steps=20, global_batch_size=8, warmup_steps=2, heldout_every=10, heldout_sequences=8),
        eval=EvalConfig(shots=(0, 1), max_examples=16),
    )
    return _pair("smoke", smoke.__doc__, sparse, seeds=(0,))


def local_mixture() -> Study:
    """The quickstart's pair on a folder of your own with a file of each kind of text, mixed as GLaM mixed its own.

    `--set data.source.paths='[FOLDER]'`; the rules are those for web pages.
    """
    return _on(SourceConfig(name="local_mixture"), local_mixture)


def glam_mixture() -> Study:
    """The quickstart's pair on GLaM's six kinds of text, each from files or data sets that you name.

    `--set data.source.kinds='[{name: web, paths: [...]}, {name: wikipedia, hub: {id: ..., revision: ...}}, ...]'`.
    """
    return _on(SourceConfig(name="glam_mixture"), glam_mixture)


def data_quality() -> Study:
    """One sparse model on filtered and on unfiltered text, judged by the same curated text (GLaM, figure 3 c and d)."""
    filtered = replace(quickstart().arms["sparse"], data={"split": {"curated_only": True}})
    unfiltered = replace(
        filtered, data={"filters": NO_FILTERS, "quality": {"enabled": False}, "judged_as": filtered.data}
    )
    return Study(
        name="data_quality",
        description=data_quality.__doc__ or "",
        arms={"filtered": filtered, "unfiltered": unfiltered},
        varies=("data.filters", "data.quality", "data.judged_as"),
        match="flops_per_token",
        seeds=(0, 1),
    )


RECIPES: dict[str, Callable[[], Study]] = {
    "quickstart": quickstart,
    "ladder": ladder,
    **{f"ladder_{size}": partial(ladder, size) for size in LADDER_RUNGS},
    "learning_rates": learning_rates,
    "smoke": smoke,
    "local_mixture": local_mixture,
    "glam_mixture": glam_mixture,
    "data_quality": data_quality,
}


def recipe(name: str) -> Study:
    """The study of that name. Raises ValueError listing what exists."""
    if name not in RECIPES:
        raise ValueError(f"unknown recipe {name!r}; known: {', '.join(sorted(RECIPES))}")
    return RECIPES[name]()


def _on(source: SourceConfig, study: Callable[[], Study]) -> Study:
    pair = quickstart()
    data = {"source": source, "filters": WEB_FILTERS}
    return replace(
        pair,
        name=study.__name__,
        description=study.__doc__ or "",
        arms={name: replace(arm, data=data) for name, arm in pair.arms.items()},
    )


def _pair(name: str, description: str | None, sparse: Experiment, *, seeds: tuple[int, ...]) -> Study:
    dense = replace(sparse, model=dense_twin(sparse.model))
    return Study(
        name=name,
        description=description or "",
        arms={"sparse": sparse, "dense": dense},
        varies=("model",),
        match="flops_per_token",
        seeds=seeds,
    )
