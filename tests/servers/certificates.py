"""A certificate authority for the tests, created with openssl, and the certificates that it signs."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.servers.processes import ServerMissingError

OPENSSL_SECONDS = 30
VALID_DAYS = "2"
NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]


@dataclass(frozen=True, slots=True)
class SignedCertificate:
    """A certificate and its key, each a PEM file."""

    path: Path
    key_path: Path


class CertificateAuthority:
    """Signs certificates with its own key; clients trust the one at `path`. Raises ServerMissingError without openssl."""

    def __init__(self, directory: Path, name: str = "test-ca") -> None:
        if not shutil.which("openssl"):
            msg = "openssl is needed to make certificates"
            raise ServerMissingError(msg)
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self.path = directory / f"{name}.pem"
        self._key_path = directory / f"{name}.key"
        files = ["-out", str(self.path), "-keyout", str(self._key_path)]
        _openssl("req", "-x509", *NEW_KEY, "-nodes", *files, "-subj", f"/CN={name}", "-days", VALID_DAYS)

    def sign(self, name: str, host: str | None = None, key_password: str | None = None) -> SignedCertificate:
        """Create a key and a certificate with the subject CN=`name`, for a server at `host` or, without it, for a client."""
        made = SignedCertificate(self._directory / f"{name}.pem", self._directory / f"{name}.key")
        protection = ["-nodes"] if key_password is None else ["-passout", f"pass:{key_password}"]
        request = self._directory / f"{name}.csr"
        _openssl("req", *NEW_KEY, *protection, "-subj", f"/CN={name}", "-out", str(request), "-keyout", str(made.key_path))
        extensions = self._directory / f"{name}.ext"
        usage = "serverAuth" if host else "clientAuth"
        names = f"subjectAltName=DNS:{host}\n" if host else ""
        extensions.write_text(f"extendedKeyUsage={usage}\n{names}")
        signer = ["-CA", str(self.path), "-CAkey", str(self._key_path), "-CAcreateserial", "-extfile", str(extensions)]
        _openssl("x509", "-req", "-in", str(request), *signer, "-days", VALID_DAYS, "-out", str(made.path))
        return made


def _openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True, timeout=OPENSSL_SECONDS)
