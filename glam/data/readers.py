"""READERS: how a file of each kind becomes documents. What cannot be read becomes a counted drop.

A file is refused with a reason when it is `not_utf8`, `empty`, `too_long` or `not_python`; a line of a
JSON-lines file when it is `bad_json`, `bad_record`, `empty`, `not_utf8` or `too_long`.
"""

import ast
import email.parser
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator

from pydantic import ValidationError

from glam.data.docstrings import docstrings
from glam.data.units import SourceFile, Unit
from glam.records import Document, Drop

MAX_BYTES = 32_000_000
"""A longer file of prose or code, or JSON line, is data that lost its way; it is dropped unread."""
CURATED_DOCSTRING_CHARACTERS = 1000
"""A docstring of this length on a module, or on a public class or function of it, was written to be read."""

Reader = Callable[[SourceFile, str], Iterator[Document | Drop]]


def read_unit(unit: Unit) -> Iterator[Document | Drop]:
    """Documents of a unit, and a Drop for every file or line that gives none."""
    for file in unit.files:
        for each in READERS[file.kind](file, unit.name):
            yield each if isinstance(each, Drop) or _is_text(each) else _drop_half_pair(each)


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
    yield text if isinstance(text, Drop) else Document(id=file.name, text=text, source="text", unit=unit)


def read_jsonl(file: SourceFile, unit: str) -> Iterator[Document | Drop]:
    """One document a line: `text`, and where given `id`, `source`, `unit`, `curated`, `name`.

    A line without `unit` is a unit of its own: lines of one file need not have more in common.
    """
    digest = hashlib.sha256()
    with open(file.path, "rb") as lines:
        for number, line in enumerate(lines):
            digest.update(line)
            if line.strip():
                yield _record(line, f"{unit}:{number}")
    _check_content(file, digest.hexdigest())


READERS: dict[str, Reader] = {
    "module": read_module,
    "topics": read_topics,
    "readme": read_readme,
    "longform": read_longform,
    "text": read_text,
    "jsonl": read_jsonl,
}


def _public_and_long(qualified_name: str, text: str) -> bool:
    top_level = "." not in qualified_name and not qualified_name.startswith("_")
    return top_level and len(text) >= CURATED_DOCSTRING_CHARACTERS


def _record(line: bytes, line_id: str) -> Document | Drop:
    def drop(reason: str) -> Drop:
        return Drop(document_id=line_id, source="jsonl", reason=reason)

    if len(line) > MAX_BYTES:
        return drop("too_long")
    try:
        fields = json.loads(line.decode())
    except UnicodeDecodeError:
        return drop("not_utf8")
    except (ValueError, RecursionError):
        return drop("bad_json")
    if not isinstance(fields, dict) or not isinstance(fields.get("text"), str):
        return drop("bad_record")
    if not fields["text"].strip():
        return drop("empty")
    known = {key: fields[key] for key in ("text", "id", "source", "unit", "curated", "name") if key in fields}
    try:
        return Document(**{"id": line_id, "source": "jsonl", "unit": line_id, **known})
    except ValidationError:
        return drop("bad_record")


def _text(file: SourceFile, source: str) -> str | Drop:
    """The whole file, or why not."""

    def drop(reason: str) -> Drop:
        return Drop(document_id=file.name, source=source, reason=reason)

    if file.path.stat().st_size > MAX_BYTES:
        return drop("too_long")
    content = file.path.read_bytes()
    _check_content(file, hashlib.sha256(content).hexdigest() if file.sha256 else None)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return drop("not_utf8")
    return text if text.strip() else drop("empty")


def _is_text(document: Document) -> bool:
    """Whether it can be written: an escape in JSON or Python can stand for half a surrogate pair."""
    try:
        "".join((document.id, document.text, document.source, document.unit, document.name or "")).encode()
    except UnicodeEncodeError:
        return False
    return True


def _drop_half_pair(document: Document) -> Drop:
    name, source = (value.encode(errors="backslashreplace").decode() for value in (document.id, document.source))
    return Drop(document_id=name, source=source, reason="not_utf8")


def _check_content(file: SourceFile, sha256: str | None) -> None:
    if file.sha256 != sha256 and file.sha256 is not None:
        raise ValueError(f"{file.path} was changed while it was prepared; run the same command again")
