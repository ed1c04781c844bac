"""Web pages: files of HTML, and web archives as crawlers write them (WARC). Needs the extra `web`.

Of a page its main content is taken, without navigation and other furniture; of an archive the pages that were
answered with status 200. All pages of a site are one unit.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO, NamedTuple
from urllib.parse import urlsplit

from glam.data.quarantine import Fault
from glam.data.streams import BUFFER_BYTES, MAX_BYTES, bomb, damage, max_content_bytes, opened
from glam.data.units import SourceFile
from glam.records import Document, Drop

# The extra's libraries are imported where they are used: whoever reads no pages needs none of them.
if TYPE_CHECKING:
    from fastwarc.warc import WarcRecord

HTML_TYPES = ("text/html", "application/xhtml+xml")
END_OF_RECORD = b"\r\n\r\n"


def read_html(file: SourceFile, unit: str) -> Iterator[Document | Drop]:
    """A page: one document."""
    size = file.path.stat().st_size
    text = Fault("oversized", f"{size:,} bytes") if size > MAX_BYTES else page_text(file.path.read_bytes())
    yield _document(text, file, file.name, unit, file.place)


def read_warc(file: SourceFile, unit: str) -> Iterator[Document | Drop]:
    """One document a page of the archive."""
    for number, page in enumerate(_pages(file)):
        page_id = f"{unit}:{number}"
        if page is not None:
            text, site = page
            yield _document(text, file, page_id, site or page_id, f"{file.place} record {number + 1}")


def page_text(content: bytes, charset: str | None = None) -> str:
    """The main content of a page; `charset` is what the server said, else the page is asked."""
    from resiliparse.extract.html2text import extract_plain_text
    from resiliparse.parse.encoding import bytes_to_str, detect_encoding, map_encoding_to_html5

    known = map_encoding_to_html5(charset, fallback_utf8=False) if charset else None
    encoding = known or detect_encoding(content, from_html_meta=True) or "utf-8"
    return extract_plain_text(bytes_to_str(content, encoding), main_content=True)


def _document(text: str | Fault, file: SourceFile, page_id: str, unit: str, place: str) -> Document | Drop:
    source = file.source or "web"
    if isinstance(text, str) and text.strip():
        return Document(id=page_id, text=text, source=source, unit=unit, curated=file.curated)
    reason, detail = text if isinstance(text, Fault) else Fault("empty", "no text")
    return Drop(document_id=page_id, source=source, reason=reason, detail=f"{place}: {detail}")


class _Page(NamedTuple):
    text: str | Fault
    site: str | None = None


def _pages(file: SourceFile) -> Iterator[_Page | None]:
    """Every response of the archive, None where it is no page; and at last what makes the rest unreadable."""
    from fastwarc.warc import ArchiveIterator, WarcRecordType

    left = max_content_bytes(file)
    try:
        with opened(file) as stream:
            archive = _Archive(stream)
            for record in ArchiveIterator(
                archive, record_types=WarcRecordType.response, parse_http=False, buffer_size=BUFFER_BYTES
            ):
                left -= record.content_length
                if left < 0:
                    yield _Page(bomb(file))
                    return
                yield _page(record)
            if archive.end != END_OF_RECORD:
                raise OSError("Truncated archive: the last record does not end")
    except OSError as error:
        yield _Page(damage(error))


def _page(record: "WarcRecord") -> _Page | None:
    from fastwarc.warc import WarcRecord

    size = record.content_length
    if not record.is_http or size == 0:
        return None
    if size > MAX_BYTES:
        return _Page(Fault("oversized", f"{size:,} bytes"))
    message = record.reader.read(size)
    if len(message) < size:
        raise OSError(f"Truncated record: {len(message):,} of {size:,} bytes")
    # Decoded apart from the archive: after a record that does not decode, or not to its end, the next is not found.
    answer = WarcRecord()
    answer.is_http = True
    answer.set_bytes_content(message)
    try:
        answer.parse_http(auto_decode="all")
        content = answer.reader.read(MAX_BYTES + 1)
    except OSError as error:
        return _Page(damage(error))
    if answer.http_headers.status_code is None:
        return _Page(Fault("bad_record", "no answer of HTTP"))
    if answer.http_headers.status_code != 200 or answer.http_content_type not in HTML_TYPES:
        return None
    if len(content) > MAX_BYTES:
        return _Page(Fault("bomb", f"{size:,} bytes became more than {MAX_BYTES:,}"))
    address = urlsplit(record.headers.get("WARC-Target-URI") or "")
    return _Page(page_text(content, answer.http_charset), address.hostname)


class _Archive:
    """What FastWARC reads from: it asks for the position, which a decompressed stream does not have, and takes an
    archive that ends within a record's head for a whole one."""

    def __init__(self, stream: BinaryIO):
        self._stream = stream
        self.num_bytes = 0
        self.end = b""

    def read(self, size: int = -1) -> bytes:
        piece = self._stream.read(size)
        self.num_bytes += len(piece)
        self.end = (self.end + piece)[-len(END_OF_RECORD) :]
        return piece

    def tell(self) -> int:
        return self.num_bytes

    def seek(self, offset: int, whence: int = 0) -> int:
        raise OSError(f"seek({offset}, {whence}) in an archive, which is read from its beginning to its end")

    def close(self) -> None:
        """The stream is closed by whoever opened it."""
