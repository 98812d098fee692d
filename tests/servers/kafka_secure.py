"""A Kafka with authentication and ACLs: TLS with SCRAM at one port, TLS with client certificates at another.

Clients may do only what an ACL allows, except at a third port on the loopback address, without TLS and with all rights, through
which tests administer it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.servers import kafka_java
from tests.servers.certificates import CertificateAuthority, SignedCertificate
from tests.servers.kafka import prepare
from tests.servers.processes import ServerMissingError, free_ports

#: The name in the certificate. 127.0.0.1 reaches the same server, but does not match the certificate.
HOST = "localhost"
USER = "detector"
PASSWORD = "scram-secret-7f3a9c"
CERTIFICATE_NAME = "detector-certificate"
KEY_PASSWORD = "key-secret-51be02"
SCRAM_MODULE = "org.apache.kafka.common.security.scram.ScramLoginModule"


@dataclass(frozen=True, slots=True)
class SecureKafka:
    """A running secure Kafka, and what a client needs to connect."""

    admin_brokers: str  # no TLS, all rights
    scram_port: int
    certificate_port: int
    authority: CertificateAuthority
    client: SignedCertificate  # its key is protected by KEY_PASSWORD

    def by_scram(self) -> dict[str, Any]:
        """Return the Kafka settings of a user with a password."""
        return {
            "brokers": f"{HOST}:{self.scram_port}",
            "security_protocol": "SASL_SSL",
            "sasl_mechanism": "SCRAM-SHA-512",
            "sasl_username": USER,
            "sasl_password": PASSWORD,
            "ssl_ca_file": self.authority.path,
        }

    def by_certificate(self) -> dict[str, Any]:
        """Return the Kafka settings of a client with a certificate."""
        return {
            "brokers": f"{HOST}:{self.certificate_port}",
            "security_protocol": "SSL",
            "ssl_ca_file": self.authority.path,
            "ssl_certificate_file": self.client.path,
            "ssl_key_file": self.client.key_path,
            "ssl_key_password": KEY_PASSWORD,
        }


@contextmanager
def running_secure_kafka(directory: Path) -> Iterator[SecureKafka]:
    """Run one within a `with` block. Raises ServerMissingError or ServerStartError."""
    if prepare() is not kafka_java:
        msg = f"a Kafka with certificates runs from its jars only, and there is {kafka_java.why_not()}"
        raise ServerMissingError(msg)
    authority = CertificateAuthority(directory / "certificates")
    client = authority.sign(CERTIFICATE_NAME, key_password=KEY_PASSWORD)
    admin_port, controller_port, scram_port, certificate_port = free_ports(4)
    settings = _settings(authority, admin_port, controller_port, {"SASL_SSL": scram_port, "SSL": certificate_port})
    credentials = f"SCRAM-SHA-512=[name={USER},password={PASSWORD}]"
    server = kafka_java.JavaKafka(directory, admin_port, settings, ["--add-scram", credentials])
    try:
        server.start()
        yield SecureKafka(server.brokers, scram_port, certificate_port, authority, client)
    finally:
        server.stop()


def _settings(
    authority: CertificateAuthority, admin_port: int, controller_port: int, secured_ports: dict[str, int]
) -> dict[str, str]:
    """Return the settings of a secure node in addition to those of all nodes."""
    keystore = authority.path.with_name("broker-keystore.pem")
    broker = authority.sign("broker", host=HOST)
    keystore.write_text(broker.key_path.read_text() + broker.path.read_text())
    secured = "".join(f",{name}://{HOST}:{port}" for name, port in secured_ports.items())
    administration = f"PLAINTEXT://127.0.0.1:{admin_port}"
    return {
        "controller.quorum.bootstrap.servers": f"127.0.0.1:{controller_port}",
        "listeners": f"{administration},CONTROLLER://127.0.0.1:{controller_port}{secured}",
        "advertised.listeners": administration + secured,
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL,SSL:SSL",
        "sasl.enabled.mechanisms": "SCRAM-SHA-512",
        "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config": f"{SCRAM_MODULE} required;",
        "listener.name.ssl.ssl.client.auth": "required",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(keystore),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(authority.path),
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",
        "allow.everyone.if.no.acl.found": "false",
    }
