"""`glam generate` and `glam counts`: what they print, and how they refuse."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from flows import cli
from glam.config import TokenizerConfig, replace
from glam.counting import count
from glam.data.tokenizer import Tokenizer, train_tokenizer
from glam.model.generation import GenerationConfig, complete
from glam.model.saved import load_model, save_model
from glam.model.transformer import Transformer
from glam.store import Store
from glam.variants import VARIANTS

pytestmark = pytest.mark.usefixtures("one_thread")


Glam = Callable[..., tuple[int, str, str]]


@pytest.fixture
def glam(capsys: pytest.CaptureFixture[str], store: Store) -> Glam:
    """Runs a command in this process, on a store of its own; gives exit code, stdout and stderr."""

    def run(*arguments: str) -> tuple[int, str, str]:
        where = ["--store", str(store.root)] if arguments[0] == "generate" else []
        code = cli._run([*arguments, *where])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model that nobody trained."""
    folder = tmp_path_factory.mktemp("toy")
    put_model(folder)
    return folder


def put_model(folder: Path, seed: int = 0) -> None:
    tokenizer, _ = train_tokenizer(["def add(a, b): return a + b"], TokenizerConfig(kind="bpe", vocab_size=300))
    model = Transformer(replace(VARIANTS["toy_4e"], vocab_size=300))
    model.initialize(seed)
    with torch.no_grad():
        model.embedding.mul_(0.3)  # as drawn, an untrained model repeats the last id
    save_model(folder, model.config, model.state_dict())
    (folder / "tokenizer.json").write_text(tokenizer.to_json(), "utf-8")


def put_run(store: Store, label: str, mark: str, *, complete: bool = True) -> Path:
    with store.claim("runs", label, mark) as folder:
        put_model(folder.path, seed=int(mark[0], 16))
        if complete:
            folder.commit(config={}, revision=1)
    return folder.path


def expected(folder: Path, prompts: list[str], config: GenerationConfig) -> list[str]:
    return complete(load_model(folder), Tokenizer.load(folder), prompts, config)


def test_completions_of_a_folder_as_json(glam: Glam, toy: Path, tmp_path: Path) -> None:
    more = tmp_path / "prompts.txt"
    more.write_text("return b\n\nnaïve €\n", "utf-8")
    prompts = ["def add", "", "return b", "naïve €"]
    options = ["--max-new-tokens", "6", "--temperature", "0.9", "--top-k", "40", "--top-p", "0.8", "--seed", "4"]
    options += ["--stop", "return", "--stop", "\n", "--prompt", "def add", "--prompt", "", "--prompt-file", str(more)]
    code, out, err = glam("generate", str(toy), *options, "--json")
    assert code == 0, err
    config = GenerationConfig(max_new_tokens=6, temperature=0.9, top_k=40, top_p=0.8, seed=4, stop=("return", "\n"))
    printed = json.loads(out)
    assert printed["checkpoint"] == str(toy)
    assert GenerationConfig(**printed["config"]) == config
    texts = expected(toy, prompts, config)
    assert printed["completions"] == [
        {"prompt": prompt, "text": text} for prompt, text in zip(prompts, texts, strict=True)
    ]


def test_beams_and_plain_text(glam: Glam, toy: Path) -> None:
    config = GenerationConfig(max_new_tokens=5, num_beams=3, length_penalty=0.5)
    first, second = expected(toy, ["def", "add"], config)
    options = ("--beams", "3", "--length-penalty", "0.5", "--max-new-tokens", "5", "--prompt", "def", "--prompt", "add")
    assert glam("generate", str(toy), *options) == (0, f"def{first}\n\nadd{second}\n", "")


def test_a_run_of_the_store_by_label_fingerprint_or_both(glam: Glam, store: Store) -> None:
    path = put_run(store, "sparse-s0", "a" * 16)
    put_run(store, "dense-s0", "b" * 16)
    put_run(store, "sparse-s0", "c" * 16, complete=False)
    outputs = set()
    for name in ("sparse-s0", "a" * 16, f"sparse-s0-{'a' * 16}", f"runs/sparse-s0-{'a' * 16}", str(path)):
        code, out, err = glam("generate", name, "--prompt", "def", "--json")
        assert code == 0, err
        outputs.add(out)
    assert len(outputs) == 1
    assert json.loads(outputs.pop())["checkpoint"] == str(path)


def test_a_checkpoint_that_is_not_one_is_refused_with_what_there_is(glam: Glam, store: Store, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    cases = {"nonsense": "runs there: none", str(empty): "model.safetensors, model.json, tokenizer.json missing"}
    for name, message in cases.items():
        code, out, err = glam("generate", name, "--prompt", "x")
        assert (code, out) == (2, "")
        assert message in err
    put_run(store, "sparse-s0", "a" * 16)
    put_run(store, "sparse-s0", "b" * 16)
    put_run(store, "dense-s0", "c" * 16, complete=False)
    cases = {
        "nonsense": f"no run 'nonsense' in {store.root}, and no folder of that name; runs there: sparse-s0-{'a' * 16}",
        "sparse-s0": f"'sparse-s0' names several runs, take one: sparse-s0-{'a' * 16}, sparse-s0-{'b' * 16}",
        "dense-s0": f"dense-s0-{'c' * 16} is running: it has no finished model yet",
    }
    for name, message in cases.items():
        code, out, err = glam("generate", name, "--prompt", "x")
        assert (code, out) == (2, "")
        assert message in err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "nothing to go on from: give --prompt TEXT"),
        (["--prompt", "x", "--temperature", "-1"], "greater than or equal to 0 (given: -1.0)"),
        (["--prompt", "x", "--beams", "2", "--temperature", "1"], "num_beams=2 searches and temperature=1 samples"),
        (["--prompt", "x", "--top-k", "2"], "top_k=2 samples, but temperature=0"),
        (["--prompt", "x", "--stop", ""], "stop.0"),
        (["--prompt", "x", "--max-new-tokens", "63"], "2 tokens, which with max_new_tokens=63 exceed the model's"),
        (["--prompt-file", "nowhere.txt"], "nowhere.txt"),
        (["--prompt", "x", "--nonsense"], "No such option"),
    ],
    ids=str,
)
def test_wrong_use_of_generate_is_exit_code_2(glam: Glam, toy: Path, options: list[str], message: str) -> None:
    code, out, err = glam("generate", str(toy), *options)
    assert (code, out) == (2, "")
    assert message in err
    assert "Traceback" not in err


def test_counts_need_no_torch_and_give_every_number() -> None:
    program = (
        "import sys; from flows import cli; code = cli._run(['counts', '--json']); "
        "sys.exit('torch was imported' if 'torch' in sys.modules else code)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    assert [row["variant"] for row in rows] == list(VARIANTS)
    for row in rows:
        assert row == {"variant": row["variant"], **count(VARIANTS[row["variant"]]).as_row()}


def test_counts_of_some_variants_for_people(glam: Glam) -> None:
    code, out, _ = glam("counts", "glam_64b_64e", "toy_4e")
    assert code == 0
    table = [line.split() for line in out.splitlines() if line.strip()]
    assert [row[0] for row in table] == ["variant", "glam_64b_64e", "toy_4e"]
    assert f"{count(VARIANTS['glam_64b_64e']).active_params:,}" in table[1]


def test_an_unknown_variant_is_refused_with_what_there_is(glam: Glam) -> None:
    code, out, err = glam("counts", "glam_65b", "--json")
    assert (code, out) == (2, "")
    assert "unknown variant 'glam_65b'; known: toy_4e, ladder_1m" in err
