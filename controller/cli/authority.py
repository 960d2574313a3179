"""Keys and certificates: an authority, and what it signs. ``now`` is passed in."""

import ipaddress
from collections.abc import Sequence
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CA_DAYS, DAYS = 3650, 365
SKEW = timedelta(minutes=5)
"""Certificates are valid from so long ago, for clocks that are late."""

Key = ec.EllipticCurvePrivateKey
Certificate = x509.Certificate


def new_key() -> Key:
    return ec.generate_private_key(ec.SECP256R1())


def new_authority(key: Key, now: datetime, days: int = CA_DAYS) -> Certificate:
    name = _name("Tunbridge CA")
    usage = x509.KeyUsage(
        digital_signature=False, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    return (
        _builder(name, name, key, now, days)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .sign(key, hashes.SHA256())
    )


def sign(
    authority: Certificate,
    authority_key: Key,
    key: Key,
    name: str,
    also: Sequence[str],
    now: datetime,
    days: int = DAYS,
) -> Certificate:
    """A certificate for ``name``; ``also``: host names and addresses by which its owner is reached."""
    uses = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
    made = (
        _builder(_name(name), authority.subject, key, now, days)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(uses, critical=False)
    )
    if also:
        made = made.add_extension(x509.SubjectAlternativeName([_general(text) for text in also]), critical=False)
    return made.sign(authority_key, hashes.SHA256())


def name_of(certificate: Certificate) -> str:
    (attribute,) = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(attribute.value)


def also_of(certificate: Certificate) -> list[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [str(name.value) for name in names]


def pem(what: Key | Certificate) -> bytes:
    if isinstance(what, x509.Certificate):
        return what.public_bytes(serialization.Encoding.PEM)
    form = serialization.PrivateFormat.PKCS8
    return what.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())


def read_key(data: bytes) -> Key:
    """Raises ValueError for one of another kind."""
    key = serialization.load_pem_private_key(data, None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError("no elliptic curve key")
    return key


def read_certificate(data: bytes) -> Certificate:
    """The first one in the file; ValueError when there is none."""
    return x509.load_pem_x509_certificate(data)


def fingerprint(certificate: Certificate) -> str:
    """SHA-256, in hex."""
    return certificate.fingerprint(hashes.SHA256()).hex()


def _builder(subject: x509.Name, issuer: x509.Name, key: Key, now: datetime, days: int) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - SKEW)
        .not_valid_after(now + timedelta(days=days))
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _general(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)
