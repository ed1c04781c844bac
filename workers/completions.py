"""Text out of the runs of a store, for `workers/serve.py`: one at a time, with the models that were last used.

A model is named by the fingerprint of its run and by nothing else, so no name becomes a path.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from glam.model.generation_config import GenerationConfig
from glam.records import RunSummary
from glam.store import Folder, Store, StoreError
from infra.processors import available_cpus

if TYPE_CHECKING:
    from glam.data.tokenizer import Tokenizer
    from glam.model.transformer import Transformer

KEPT_MODELS = 2
MAX_WAITING = 4
MAX_NEW_TOKENS = 256
DEFAULTS = GenerationConfig()
UNFINISHED = "\N{REPLACEMENT CHARACTER}"
"""What bytes that are no character yet are decoded to."""


class CompletionRequest(BaseModel):
    """A prompt and how to go on from it; the fields are those of GenerationConfig, which checks them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str = Field(pattern="^[0-9a-f]{16}$")
    """Fingerprint of a complete run."""
    prompt: str
    max_new_tokens: int = Field(default=DEFAULTS.max_new_tokens, ge=1, le=MAX_NEW_TOKENS)
    temperature: float = DEFAULTS.temperature
    top_k: int | None = DEFAULTS.top_k
    top_p: float = DEFAULTS.top_p
    seed: int = Field(default=DEFAULTS.seed, ge=0, lt=1 << 63)
    experts: bool = False
    """Whether to say which experts each token chose."""

    @field_validator("prompt")
    @classmethod
    def whole_characters(cls, prompt: str) -> str:
        if any("\ud800" <= character <= "\udfff" for character in prompt):
            raise ValueError("half of a surrogate pair is no character: send the whole one")
        return prompt

    @property
    def generation(self) -> GenerationConfig:
        """Raises ValidationError for fields that do not go together."""
        return GenerationConfig(**self.model_dump(exclude={"model", "prompt", "experts"}))


class Token(BaseModel):
    """One new id of a completion."""

    text: str
    """Its part of the text; empty for one that ends inside a character, which then belongs to a later one."""
    experts: list[list[int]] | None
    """Chosen ones, by mixture layer; none of a dense model; None: not asked for."""


class Completion(BaseModel):
    """What a model wrote."""

    text: str
    tokens: list[Token]
    """Their texts together are `text`."""
    seconds: float
    """Of generation, without loading or waiting."""


class ServedModel(BaseModel):
    """A complete run; what its summary does not say is None."""

    fingerprint: str
    label: str
    arm: str | None
    seed: int | None
    parameters: int | None
    active_parameters: int | None


class BusyError(RuntimeError):
    """As many are waiting as may."""


@dataclass(frozen=True)
class _Loaded:
    model: "Transformer"
    tokenizer: "Tokenizer"


class Completions:
    """The runs of one store; usable from several threads."""

    def __init__(self, store: Store):
        self._store = store
        self._loaded: OrderedDict[str, _Loaded] = OrderedDict()
        self._verified: dict[str, str] = {}
        """Hash of the manifest by fingerprint, of what was found to be as it says."""
        self._one_at_a_time = threading.Lock()
        self._places = threading.BoundedSemaphore(1 + MAX_WAITING)

    def models(self) -> list[ServedModel]:
        """Every complete run, in order of their names."""
        return [_described(folder) for folder in self._store.folders("runs") if folder.complete]

    def complete(self, request: CompletionRequest) -> Completion:
        """Waits for its turn.

        Raises BusyError when too many wait already, ValueError for a request that the model cannot do, StoreError
        where there is no such run and IntegrityError where it is not what its manifest says.
        """
        config = request.generation
        self._folder(request.model)  # who asks for what is not there need not wait
        with self._turn():
            loaded = self._load(request.model)
            from glam.model.generation import generate

            prompt = [loaded.tokenizer.end_of_text, *loaded.tokenizer.encode(request.prompt)]
            started = time.perf_counter()
            end_of_text = loaded.tokenizer.end_of_text
            new = generate(loaded.model, [prompt], config, end_of_text=end_of_text).rows[0]
            seconds = time.perf_counter() - started
            experts = _experts(loaded.model, prompt, new) if request.experts else [None] * len(new)
        texts = texts_of_ids(loaded.tokenizer, new)
        tokens = [Token(text=text, experts=chosen) for text, chosen in zip(texts, experts, strict=True)]
        return Completion(text="".join(texts), tokens=tokens, seconds=seconds)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if not self._places.acquire(blocking=False):
            raise BusyError(
                f"one completion is being written and {MAX_WAITING} wait already: try again in some seconds"
            )
        try:
            with self._one_at_a_time:
                yield
        finally:
            self._places.release()

    def _folder(self, fingerprint: str) -> Folder:
        try:
            return self._store.open("runs", fingerprint)
        except StoreError as error:
            if self._store.find_complete("runs", fingerprint) is not None:
                raise
            raise StoreError(f"no complete run has the fingerprint {fingerprint}; GET /models lists them") from error

    def _load(self, fingerprint: str) -> _Loaded:
        if fingerprint in self._loaded:
            self._loaded.move_to_end(fingerprint)
            return self._loaded[fingerprint]
        import torch

        from glam.data.tokenizer import Tokenizer
        from glam.model.saved import load_model

        folder = self._folder(fingerprint)
        manifest_hash = folder.manifest_hash()
        folder.verify(contents=self._verified.get(fingerprint) != manifest_hash)
        self._verified[fingerprint] = manifest_hash
        while len(self._loaded) >= KEPT_MODELS:
            self._loaded.popitem(last=False)
        torch.set_num_threads(available_cpus())
        loaded = _Loaded(load_model(folder.path), Tokenizer.load(folder.path))
        self._loaded[fingerprint] = loaded
        return loaded


def texts_of_ids(tokenizer: "Tokenizer", ids: Sequence[int]) -> list[str]:
    """The part of the decoded text that each id ends; together they are the whole text."""
    whole, texts, start = tokenizer.decode(ids), [], 0
    for place in range(1, len(ids)):
        beginning, end = tokenizer.decode(ids[:place]), start
        # One that ends inside a character decodes to something else there.
        if whole.startswith(beginning) and not beginning.endswith(UNFINISHED):
            end = max(start, len(beginning))
        texts.append(whole[start:end])
        start = end
    return [*texts, whole[start:]] if ids else []


def _experts(model: "Transformer", prompt: list[int], new: list[int]) -> list[list[list[int]]]:
    from glam.model.routes import chosen_experts

    return chosen_experts(model, [*prompt, *new])[len(prompt) :].tolist()


def _described(folder: Folder) -> ServedModel:
    name = {"fingerprint": folder.reference.fingerprint, "label": folder.reference.label}
    try:
        if not (folder.path / "summary.json").is_file():  # nothing, or a pipe that would be waited for
            raise FileNotFoundError
        summary = RunSummary.model_validate(folder.read_json("summary.json"))
    except (OSError, ValueError, ValidationError, RecursionError):  # the last: nested without end
        return ServedModel(**name, arm=None, seed=None, parameters=None, active_parameters=None)
    return ServedModel(
        **name,
        arm=summary.arm,
        seed=summary.seed,
        parameters=summary.total_params,
        active_parameters=summary.active_params,
    )
