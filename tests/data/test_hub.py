"""A data set of the hub is read shard by shard at its commit; against a stub, in a process that knows no other hub."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.data.hub_on_loopback import COMMIT, DATASET, NUM_FILES, NUM_ROWS, hub

READING = """
import json
from glam.config import HubConfig, KindConfig, SourceConfig, replace
from glam.data.readers import read_unit
from glam.data.sources import plan_shards

def read(config):
    return [
        [(unit.name, each.id, each.text, each.source) for unit in shard for each in read_unit(unit)]
        for shard in plan_shards(config)
    ]

def refusal(**changes):
    try:
        plan_shards(replace(whole, hub=changes))
    except ValueError as error:
        return str(error)

hub = HubConfig(id=DATASET, revision=COMMIT)
whole = SourceConfig(name="hub", hub=hub, num_shards=2)
kind = KindConfig(name="web", hub=hub)
print(json.dumps({
    "two": read(whole),
    "one": read(replace(whole, num_shards=1)),
    "bounded": read(replace(whole, max_megabytes=0.00002)),
    "mixture": read(SourceConfig(name="glam_mixture", kinds=(kind,), num_shards=1)),
    "dataset": refusal(id="owner/nothing"),
    "commit": refusal(revision="f" * 40),
    "split": refusal(split="nowhere"),
    "subset": refusal(subset="other"),
}))
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with hub() as address:
        yield {**os.environ, "HF_ENDPOINT": address, "HF_HOME": str(tmp_path_factory.mktemp("hf"))}


def run(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, text=True, check=False)


def test_shards_are_units_and_errors_say_what_is_missing(environment: dict[str, str]) -> None:
    code = READING.replace("DATASET", repr(DATASET)).replace("COMMIT", repr(COMMIT))
    done = run(environment, "-c", code)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    (documents,) = found["one"]
    expected = [(f"text {file} {row}", "records") for file in range(NUM_FILES) for row in range(NUM_ROWS)]
    assert [(text, source) for *_, text, source in documents] == expected
    assert documents[0][:2] == [f"{DATASET}/train/0", f"{DATASET}/train/0:0"]
    assert sorted(each for shard in found["two"] for each in shard) == documents
    assert [text for shard in found["bounded"] for *_, text, _ in shard] == ["text 0 0", "text 0 1"]
    (mixed,) = found["mixture"]
    assert [each[1:] for each in mixed] == [[f"web/{each[1]}", each[2], "web"] for each in documents]
    assert "owner/nothing" in found["dataset"]
    assert "f" * 40 in found["commit"]
    assert "['train']" in found["split"]
    assert "['default']" in found["subset"]


def test_pin_says_the_commit_of_a_branch(environment: dict[str, str]) -> None:
    command = ("-c", "from flows.cli import main; main()", "data", "pin")
    assert run(environment, *command, DATASET).stdout == f"{COMMIT}\n"
    unknown = run(environment, *command, DATASET, "--revision", "nowhere")
    assert unknown.returncode == 2
    assert "'nowhere'" in unknown.stderr


def test_pin_says_where_it_found_no_hub(tmp_path: Path) -> None:
    environment = {**os.environ, "HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(tmp_path)}
    done = run(environment, "-c", "from flows.cli import main; main()", "data", "pin", DATASET)
    assert done.returncode == 1
    assert done.stderr.startswith("glam: the hub does not answer")
    assert "Traceback" not in done.stderr
