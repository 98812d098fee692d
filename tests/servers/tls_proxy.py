"""TLS in front of a server without TLS, for tests of a client's TLS settings."""

from __future__ import annotations

import contextlib
import socket
import ssl
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

WAIT_SECONDS = 10.0
CHUNK_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Certificate:
    """A self-signed certificate of `localhost` and its key."""

    path: Path
    key_path: Path


def make_certificate(directory: Path, name: str) -> Certificate:
    """Create a certificate with openssl."""
    certificate = Certificate(directory / f"{name}.pem", directory / f"{name}.key")
    files = ["-out", str(certificate.path), "-keyout", str(certificate.key_path)]
    subject = ["-subj", f"/CN={name}", "-addext", "subjectAltName=DNS:localhost", "-days", "2"]
    kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    subprocess.run(["openssl", "req", *kind, *files, *subject], check=True, capture_output=True, timeout=30)
    return certificate


class TlsProxy:
    """Accepts TLS on a free port of localhost and passes the decrypted bytes on, until the `with` block ends."""

    def __init__(self, upstream: tuple[str, int], certificate: Certificate) -> None:
        self._upstream = upstream
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate.path, certificate.key_path)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.1)
        self.port: int = self._listener.getsockname()[1]
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        self._run(self._accept)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join(WAIT_SECONDS)
        self._listener.close()

    def _run(self, work: object, *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)  # type: ignore[arg-type]  # any callable
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._stopping.is_set():
            with contextlib.suppress(TimeoutError):
                accepted, _ = self._listener.accept()
                self._run(self._serve, accepted)

    def _serve(self, accepted: socket.socket) -> None:
        with contextlib.suppress(OSError), accepted, socket.create_connection(self._upstream, WAIT_SECONDS) as upstream:
            accepted.settimeout(WAIT_SECONDS)
            with self._context.wrap_socket(accepted, server_side=True) as client:
                self._relay(client, upstream)

    def _relay(self, client: ssl.SSLSocket, upstream: socket.socket) -> None:
        """Pass on requests and responses in turn, because that is how the client under test communicates."""
        for side in (client, upstream):
            side.settimeout(0.02)
        while not self._stopping.is_set():
            for source, target in ((client, upstream), (upstream, client)):
                try:
                    data = source.recv(CHUNK_BYTES)
                except TimeoutError:
                    continue
                if not data:
                    return
                target.sendall(data)
