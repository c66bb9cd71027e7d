"""Certificates for tests, made on the spot."""

import base64
import datetime
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, pkcs12


@dataclass(frozen=True)
class Made:
    """One certificate in the forms that uploads take, in base64."""

    thumbprint: str
    pfx: str
    der: str
    pem: str


def made(name: str, password: str = "") -> Made:
    """A certificate of its own authority; `password` is the PFX's."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    sealing = BestAvailableEncryption(password.encode()) if password else NoEncryption()
    forms = (
        pkcs12.serialize_key_and_certificates(name.encode(), key, certificate, None, sealing),
        certificate.public_bytes(Encoding.DER),
        certificate.public_bytes(Encoding.PEM),
    )
    return Made(certificate.fingerprint(hashes.SHA1()).hex(), *(base64.b64encode(form).decode() for form in forms))
