"""A small HTTP server for health and metrics, on its own thread."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from stream_detector.errors import SettingsError

logger = logging.getLogger(__name__)

Page = Callable[[], tuple[int, str, bytes]]
_CLIENT_SECONDS = 5.0


@contextmanager
def serve_pages(host: str, port: int, pages: Mapping[str, Page]) -> Iterator[int]:
    """Serve pages, by path, until the end of the block; yield the port. Port 0 means any free one.

    Raises SettingsError when it cannot listen on the address.
    """
    try:
        server = ThreadingHTTPServer((host, port), _handler(pages))
    except OSError as error:
        msg = f"STREAM_DETECTOR_HTTP__PORT: cannot listen on {host}:{port}: {error.strerror or error}"
        raise SettingsError(msg) from None
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, name="http", daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _handler(pages: Mapping[str, Page]) -> type[BaseHTTPRequestHandler]:
    """Return a handler class that serves these pages; http.server creates an instance per request."""

    class Handler(BaseHTTPRequestHandler):
        timeout = _CLIENT_SECONDS

        def do_GET(self) -> None:
            page = pages.get(self.path.partition("?")[0])
            status, content_type, body = page() if page else (404, "text/plain", b"not found\n")
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the name is the library's
            logger.debug(format, *arguments)

    return Handler
