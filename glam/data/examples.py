"""Examples for people: a few documents of each decile of the quality score, the same ones whatever the shards."""

import heapq

from glam.data.draws import draw
from glam.data.report import Example
from glam.records import Document

NUM_DECILES = 10
EXAMPLES_OF_A_DECILE = 2
EXAMPLE_CHARACTERS = 400


class ExamplePicker:
    """Keeps a few documents of each decile, kept and dropped, those with the lowest draws."""

    def __init__(self) -> None:
        self._heaps: dict[tuple[int, bool], list[tuple[int, str, Example]]] = {}

    def offer(self, document: Document, score: float, *, kept: bool) -> None:
        """A document that the classifier judged."""
        decile = min(int(score * NUM_DECILES), NUM_DECILES - 1)
        heap, rank = self._heaps.get((decile, kept), []), -draw(document.id)
        if len(heap) < EXAMPLES_OF_A_DECILE or rank > heap[0][0]:
            text = document.text[:EXAMPLE_CHARACTERS]
            self.keep(
                Example(
                    document_id=document.id, source=document.source, score=score, decile=decile, kept=kept, text=text
                )
            )

    def keep(self, example: Example) -> None:
        """One that another picker chose."""
        heap = self._heaps.setdefault((example.decile, example.kept), [])
        heapq.heappush(heap, (-draw(example.document_id), example.document_id, example))
        if len(heap) > EXAMPLES_OF_A_DECILE:
            heapq.heappop(heap)

    def chosen(self) -> list[Example]:
        """By decile, dropped ones first."""
        return [
            each for key in sorted(self._heaps) for *_, each in sorted(self._heaps[key], key=lambda entry: entry[:2])
        ]
