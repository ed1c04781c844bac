"""Made-up web pages and records of web archives."""


def page(subject: str) -> bytes:
    """A page with navigation around its text."""
    sentences = f"{subject} was grown in the fields of the north, and much was written about it. " * 5
    return (
        '<html><head><meta charset="utf-8"><title>T</title></head><body><nav><a href="/">Home</a></nav>'
        f"<main><h1>{subject}</h1><p>{sentences}</p></main><footer>Imprint</footer></body></html>"
    ).encode()


def warc(
    address: str,
    content: bytes,
    *,
    status: str = "200 OK",
    content_type: str = "text/html; charset=utf-8",
    encoding: str | None = None,
    request: bool = False,
) -> bytes:
    """One record, as a crawler writes it."""
    coded = f"Content-Encoding: {encoding}\r\n" if encoding else ""
    head = f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\n{coded}Content-Length: {len(content)}\r\n\r\n"
    message = head.encode() + content
    kind = "request" if request else "response"
    fields = (
        f"WARC/1.0\r\nWARC-Type: {kind}\r\nWARC-Target-URI: {address}\r\nWARC-Date: 2020-01-01T00:00:00Z\r\n"
        "WARC-Record-ID: <urn:uuid:00000000-0000-0000-0000-000000000000>\r\n"
        f"Content-Type: application/http; msgtype={kind}\r\nContent-Length: {len(message)}\r\n\r\n"
    )
    return fields.encode() + message + b"\r\n\r\n"
