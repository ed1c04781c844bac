"""How text is generated: impossible settings are refused with their values."""

from typing import Any

import pytest
from pydantic import ValidationError

from glam.model.generation import GREEDY
from glam.model.generation_config import GenerationConfig


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"temperature": -0.5}, "temperature\n.*input_value=-0.5"),
        ({"temperature": float("nan")}, "temperature"),
        ({"temperature": float("inf")}, "temperature"),
        ({"temperature": 1, "top_p": 0}, "top_p\n.*input_value=0"),
        ({"temperature": 1, "top_p": 1.5}, "top_p\n.*input_value=1.5"),
        ({"temperature": 1, "top_k": 0}, "top_k\n.*input_value=0"),
        ({"max_new_tokens": 0}, "max_new_tokens\n.*input_value=0"),
        ({"num_beams": 0}, "num_beams"),
        ({"seed": -1}, "seed"),
        ({"stop": ("a", "")}, r"stop\.1\n"),
        ({"stop": "a"}, "stop"),
        ({"num_beams": 4, "temperature": 0.7}, "num_beams=4 searches and temperature=0.7 samples"),
        ({"top_k": 5}, "top_k=5 samples, but temperature=0"),
        ({"top_p": 0.5}, "top_p=0.5 samples, but temperature=0"),
        ({"length_penalty": 0.5}, "length_penalty=0.5 ranks beams, but num_beams=1"),
        ({"beams": 2}, "beams"),
    ],
    ids=str,
)
def test_impossible_settings_are_refused_with_their_values(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        GenerationConfig(**fields)


def test_the_defaults_are_greedy() -> None:
    assert GenerationConfig() == GREEDY
    assert GREEDY.temperature == 0
