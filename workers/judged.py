"""A trained model as evaluation asks for it."""

from collections.abc import Sequence
from pathlib import Path

from glam.data.tokenizer import Tokenizer
from glam.evaluation.scorer import NUM_BEAMS, Answers
from glam.model.continuations import Continuations, score_continuations
from glam.model.generation import generate, until_stop
from glam.model.generation_config import GenerationConfig
from glam.model.saved import load_model

Ids = Sequence[int]


class JudgedModel:
    """Weights and vocabulary of a folder, loaded once."""

    def __init__(self, folder: Path):
        self.model = load_model(folder)
        self.tokenizer = Tokenizer.load(folder)
        if self.tokenizer.vocab_size != self.model.config.vocab_size:
            raise ValueError(
                f"{folder}: the vocabulary has {self.tokenizer.vocab_size} tokens, the model knows "
                f"{self.model.config.vocab_size}: they do not belong together"
            )

    def score_continuations(self, requests: Sequence[tuple[Ids, Ids]], /) -> Continuations:
        """As `glam.model.continuations.score_continuations`."""
        return score_continuations(self.model, requests)

    def write(self, prompts: Sequence[Ids], /, *, stop: tuple[str, ...], max_new_tokens: int) -> Answers:
        """What beam search writes after each prompt, up to the first stop text or the end of the text."""
        config = GenerationConfig(max_new_tokens=max_new_tokens, num_beams=NUM_BEAMS, stop=stop)
        decode = self.tokenizer.decode
        found = generate(self.model, prompts, config, end_of_text=self.tokenizer.end_of_text, decode=decode)
        load_LE = None if found.load_LE is None else found.load_LE.cpu().numpy()
        return Answers([until_stop(stop, decode(ids)) for ids in found.rows], load_LE)
