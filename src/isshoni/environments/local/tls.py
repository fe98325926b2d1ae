"""Read and check the certificate of the load balancer's TLS listener."""

import datetime
from dataclasses import dataclass
from pathlib import Path

from isshoni.environments.local.config import LocalConfig
from isshoni.rollout.errors import EnvironmentFault

RENEW_WITHIN_DAYS = 14


@dataclass(frozen=True)
class Certificate:
    """A certificate with its chain and key, as PEM."""

    chain: str
    key: str
    names: tuple[str, ...]
    """The host names that it is for."""
    ends_at: datetime.datetime


def read_certificate(config: LocalConfig, now: datetime.datetime) -> Certificate | None:
    """Return the configured certificate; None if there is none.

    Raises `EnvironmentFault` for one that no client would accept, so that Envoy keeps the old one.
    """
    if config.tls_certificate is None or config.tls_key is None:
        return None
    chain, key = _read(config.tls_certificate), _read(config.tls_key)
    names, ends_at = _parse(config.tls_certificate, chain, config.tls_key, key)
    if ends_at <= now:
        raise EnvironmentFault(
            f"the certificate {config.tls_certificate} ended on {ends_at:%Y-%m-%d}: renew it"
        )
    return Certificate(chain.decode(), key.decode(), names, ends_at)


def describe_certificate(certificate: Certificate, port: int, now: datetime.datetime) -> str:
    """Return the address that it is for, and a warning if it ends soon."""
    host = certificate.names[0] if certificate.names else "…"
    url = f"https://{host}" if port == 443 else f"https://{host}:{port}"
    days = (certificate.ends_at - now).days
    ends = f"{certificate.ends_at:%Y-%m-%d}"
    soon = f"; its certificate ends on {ends}: renew it" if days < RENEW_WITHIN_DAYS else ""
    return f"{url}{soon}"


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as fault:
        raise EnvironmentFault(f"{path} cannot be read: {fault.strerror}") from None


def _parse(
    path: Path, chain: bytes, key_path: Path, key: bytes
) -> tuple[tuple[str, ...], datetime.datetime]:
    from cryptography import x509  # slow to load, and only TLS needs it
    from cryptography.hazmat.primitives import serialization

    try:
        first = x509.load_pem_x509_certificates(chain)[0]
    except ValueError as fault:
        raise EnvironmentFault(f"{path} has no PEM certificate: {fault}") from None
    try:
        private = serialization.load_pem_private_key(key, password=None)
    except (ValueError, TypeError) as fault:  # TypeError: it has a passphrase
        raise EnvironmentFault(f"{key_path} has no PEM key without a passphrase: {fault}") from None
    if private.public_key() != first.public_key():
        raise EnvironmentFault(f"{key_path} is not the key of the certificate {path}")
    try:
        found = first.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        names = tuple(found.value.get_values_for_type(x509.DNSName))
    except x509.ExtensionNotFound:
        names = ()
    return names, first.not_valid_after_utc
