"""READERS: how a file of each kind becomes documents. What cannot be read becomes a counted drop.

Every reader streams: it holds one document at a time, and no more of a file than `streams` allows.
"""

import ast
import email.parser
from collections import Counter
from collections.abc import Callable, Iterator

from glam.data.docstrings import docstrings
from glam.data.quarantine import Fault
from glam.data.rows import read_hub, read_jsonl, read_parquet
from glam.data.streams import MAX_BYTES
from glam.data.units import FileKind, HubShard, Part, SourceFile, Unit
from glam.data.web import read_html, read_warc
from glam.records import Document, Drop
from glam.store.identity import file_sha256

CURATED_DOCSTRING_CHARACTERS = 1000
"""A docstring of this length on a module, or on a public class or function of it, was written to be read."""

Reader = Callable[[SourceFile, str], Iterator[Document | Drop]]


def read_unit(unit: Unit) -> Iterator[Document | Drop]:
    """Documents of a unit, and a Drop for every file or record that gives none.

    Raises ValueError where a file is no longer what the fingerprint was made from, once it is read.
    """
    for part in unit.parts:
        for each in _read(part, unit.name):
            yield each if isinstance(each, Drop) else _storable(each, part)
        if isinstance(part, SourceFile):
            _require_unchanged(part)


def read_module(file: SourceFile, unit: str) -> Iterator[Document | Drop]:
    """Docstrings of one module; the document's name is the qualified name of what it documents."""
    source = _text(file, "docstring")
    if isinstance(source, Drop):
        if source.reason != "empty":  # an empty __init__.py is no lost document
            yield source
        return
    module = file.name.removesuffix(".py").removesuffix("/__init__").replace("/", ".").removeprefix("python.")
    seen: Counter[str] = Counter()
    try:
        for name, text in docstrings(source):
            seen[name] += 1
            yield Document(
                id=f"{file.name}:{name}" + (f"#{seen[name]}" if seen[name] > 1 else ""),
                text=text,
                source="docstring",
                unit=unit,
                curated=_public_and_long(name, text),
                name=f"{module}.{name}" if name else module,
            )
    except (SyntaxError, ValueError, RecursionError):
        yield Drop(document_id=file.name, source="docstring", reason="not_python")


def read_topics(file: SourceFile, unit: str) -> Iterator[Document | Drop]:
    """The language reference that ships with Python: `pydoc_data/topics.py`, one literal mapping."""
    source = _text(file, "longform")
    if isinstance(source, Drop):
        yield source
        return
    topics = next(node.value for node in ast.parse(source).body if isinstance(node, ast.Assign))
    for topic, text in ast.literal_eval(topics).items():
        yield Document(id=f"{file.name}:{topic}", text=text.strip(), source="longform", unit=unit, curated=True)


def read_readme(file: SourceFile, unit: str) -> Iterator[Document | Drop]:
    """The long description in a distribution's metadata."""
    metadata = _text(file, "readme")
    if isinstance(metadata, Drop):
        yield metadata
        return
    message = email.parser.Parser().parsestr(metadata)
    text = str(message.get_payload() or message.get("Description") or "").strip()
    if text in ("", "UNKNOWN"):
        yield Drop(document_id=file.name, source="readme", reason="empty")
    else:
        yield Document(id=file.name, text=text, source="readme", unit=unit, curated=True)


def read_longform(file: SourceFile, unit: str) -> Iterator[Document | Drop]:
    """A documentation file inside a package."""
    text = _text(file, "longform")
    yield (
        text
        if isinstance(text, Drop)
        else Document(id=file.name, text=text, source="longform", unit=unit, curated=True)
    )


def read_text(file: SourceFile, unit: str) -> Iterator[Document | Drop]:
    """A text file of the user: one document."""
    text = _text(file, "text")
    yield (
        text
        if isinstance(text, Drop)
        else Document(id=file.name, text=text, source=file.source or "text", unit=unit, curated=file.curated)
    )


READERS: dict[FileKind, Reader] = {
    "module": read_module,
    "topics": read_topics,
    "readme": read_readme,
    "longform": read_longform,
    "text": read_text,
    "jsonl": read_jsonl,
    "jsonl_gzip": read_jsonl,
    "jsonl_zstd": read_jsonl,
    "parquet": read_parquet,
    "html": read_html,
    "warc": read_warc,
    "warc_gzip": read_warc,
}


def _read(part: Part, unit: str) -> Iterator[Document | Drop]:
    if isinstance(part, HubShard):
        return read_hub(part, unit)
    assert isinstance(part, SourceFile)
    return READERS[part.kind](part, unit)


def _public_and_long(qualified_name: str, text: str) -> bool:
    top_level = "." not in qualified_name and not qualified_name.startswith("_")
    return top_level and len(text) >= CURATED_DOCSTRING_CHARACTERS


def _text(file: SourceFile, source: str) -> str | Drop:
    """The whole file, or why not."""
    if file.path.stat().st_size > MAX_BYTES:
        return _drop(file, source, Fault("oversized", f"more than {MAX_BYTES:,} bytes"))
    try:
        text = file.path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return _drop(file, source, Fault("not_utf8", str(error)))
    return text if text.strip() else _drop(file, source, Fault("empty", "no text"))


def _drop(file: SourceFile, source: str, fault: Fault) -> Drop:
    return Drop(
        document_id=file.name,
        source=file.source or source,
        reason=fault.reason,
        detail=f"{file.place}: {fault.detail}",
    )


def _storable(document: Document, part: Part) -> Document | Drop:
    """The document, unless it holds what no text does: bytes of value 0, or half a surrogate pair from an escape."""
    fields = (document.id, document.text, document.source, document.unit, document.name or "")
    fault = Fault("nul_bytes", "a character of value 0") if any("\0" in field for field in fields) else None
    try:
        "".join(fields).encode()
    except UnicodeEncodeError:
        fault = Fault("not_utf8", "half a surrogate pair")
    if fault is None:
        return document
    name, source = (value.encode(errors="backslashreplace").decode() for value in (document.id, document.source))
    return Drop(document_id=name, source=source, reason=fault.reason, detail=f"{part.place}, {name}: {fault.detail}")


def _require_unchanged(file: SourceFile) -> None:
    if file.sha256 is not None and file_sha256(file.path) != file.sha256:
        raise ValueError(f"{file.path} was changed while it was prepared; run the same command again")
