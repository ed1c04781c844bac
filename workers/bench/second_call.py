"""A contestant that asks for what is known: `glam evaluate` again, on files as large as the published ones."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from itertools import cycle, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from glam.bench.measure import BenchError
from glam.store import Store
from workers.bench.judging import checkpoint

PUBLISHED_ROWS: Mapping[str, tuple[int, int]] = {
    "anli_r1": (1_000, 16_946),
    "anli_r2": (1_000, 45_460),
    "anli_r3": (1_200, 100_459),
    "arc_challenge": (1_172, 1_119),
    "arc_easy": (2_376, 2_251),
    "boolq": (3_270, 9_427),
    "cb": (56, 250),
    "copa": (100, 400),
    "coqa": (500, 7_199),
    "drop": (9_536, 77_409),
    "hellaswag": (10_042, 39_905),
    "lambada": (5_153, 0),
    "multirc": (4_848, 27_243),
    "nq_open": (3_610, 87_925),
    "openbookqa": (500, 4_957),
    "piqa": (1_838, 16_113),
    "quac": (1_000, 11_567),
    "race_high": (3_498, 62_445),
    "race_middle": (1_436, 25_421),
    "record": (10_000, 100_730),
    "rte": (277, 2_490),
    "squad_v2": (11_873, 130_319),
    "storycloze": (1_871, 1_871),
    "triviaqa": (11_313, 87_622),
    "web_questions": (2_032, 3_778),
    "wic": (638, 5_428),
    "winograd": (273, 0),
    "winogrande": (1_267, 40_398),
    "wsc": (104, 554),
}
"""Lines of the file that is asked and of the one that is shown, about: from the tasks' own papers and data cards."""
INVENTED: Mapping[str, Mapping[str, Any]] = {
    "storycloze": {
        "story_id": "invented",
        **{f"input_sentence_{number}": f"The boat passed lock number {number} at noon." for number in range(1, 5)},
        "sentence_quiz1": "By evening it lay in the harbour.",
        "sentence_quiz2": "The boat ate a sandwich.",
        "answer_right_ending": 1,
    }
}
"""A row of tasks that only a request gives, where the folder does not have them: how many there are is what counts."""
NAMES = ("id", "uid", "idx", "ind", "qID", "story_id", "dialogue_id", "question_id")
"""Fields that name a line, which no two may share unless they are empty."""


def second_call(store: str, model: Mapping[str, Any], data: str) -> Callable[[], Mapping[str, float]]:
    """A process from start to end that finds every score made. Fact: how many scores it showed."""
    scratch = TemporaryDirectory(prefix="glam-bench-")
    place = Path(scratch.name)
    tasks = [task for task in PUBLISHED_ROWS if task in INVENTED or (Path(data) / task / "eval.jsonl").is_file()]
    for task in tasks:
        _enlarge(task, Path(data) / task, place / "benchmarks" / task)
    command = [
        *(str(Path(sys.executable).with_name("glam")), "evaluate", str(checkpoint(store, json.dumps(model)))),
        *("--tasks", ",".join(tasks), "--shots", "0", "--limit", "1", "--json"),
        *("--data", str(place / "benchmarks"), "--store", str(Store(place / "store").root)),
    ]
    _asked(command)

    def call() -> dict[str, float]:
        assert scratch.name, "the folder lives as long as this"
        return {"scores": float(len(_asked(command)["results"]))}

    return call


def _asked(command: list[str]) -> dict[str, Any]:
    """What the command prints. Raises BenchError with its last words where it fails."""
    found = subprocess.run(command, capture_output=True, text=True)
    if found.returncode:
        words = found.stderr.strip().splitlines() or ["it said nothing"]
        raise BenchError(f"glam evaluate ended with exit code {found.returncode}: {words[-1]}")
    return json.loads(found.stdout)


def _enlarge(task: str, few: Path, many: Path) -> None:
    """The same lines again and again, each time under other names."""
    many.mkdir(parents=True)
    for name, wanted in zip(("eval.jsonl", "train.jsonl"), PUBLISHED_ROWS[task], strict=True):
        rows = [dict(INVENTED[task])] if task in INVENTED else []
        if (few / name).is_file():
            rows = [json.loads(line) for line in (few / name).read_text("utf-8").splitlines()]
        if wanted and rows:
            with open(many / name, "w", encoding="utf-8") as out:
                out.writelines(islice(_renamed(rows), wanted))


def _renamed(rows: list[dict[str, Any]]) -> Iterator[str]:
    for number, row in enumerate(cycle(rows)):
        turn = number // len(rows)
        yield json.dumps({name: _other(value, turn) if name in NAMES else value for name, value in row.items()}) + "\n"


def _other(name: Any, turn: int) -> Any:
    if isinstance(name, dict):
        return {part: _other(value, turn) for part, value in name.items()}
    if isinstance(name, int):
        return name + turn * 10_000_000 if name >= 0 else name  # below, it names nothing
    return f"{name}-{turn}" if name else ""
