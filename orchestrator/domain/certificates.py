"""What a certificate's bytes say: its thumbprint and its public part (spec/behaviour.md, 18). Pure."""

import base64
import binascii
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, pkcs12

ALGORITHM = "sha1"
MAX_BYTES = 10 * 1024
START_TASK, TASK, REMOTE_USER = "starttask", "task", "remoteuser"
VISIBILITIES = (START_TASK, TASK, REMOTE_USER)


class Unreadable(ValueError):
    """The upload is not what it says it is; `member` of the request is wrong, the message says why."""

    def __init__(self, member: str, reason: str) -> None:
        super().__init__(reason)
        self.member = member


@dataclass(frozen=True)
class Read:
    """A certificate that was understood: lower-case hex of its SHA-1, and its DER in base64."""

    thumbprint: str
    public: str


def read(data: str, format: str, password: str | None) -> Read:
    """Understand an upload.

    Args:
        data: base64 of a PFX (PKCS #12), or of one certificate in DER or PEM.
        format: pfx or cer.
        password: of the PFX; None or empty: it has none.

    Raises:
        Unreadable: it is not that.
    """
    if format == "cer" and password:
        raise Unreadable("password", "only a pfx has a password")
    raw = _decoded(data)
    certificate = _of_pfx(raw, password) if format == "pfx" else _of_cer(raw)
    # SHA-1 is what the service's thumbprints are made of; nothing here trusts it.
    thumbprint = certificate.fingerprint(hashes.SHA1()).hex()
    return Read(thumbprint, base64.b64encode(certificate.public_bytes(Encoding.DER)).decode())


def _decoded(data: str) -> bytes:
    try:
        raw = base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise Unreadable("data", "it is not base64") from None
    if len(raw) > MAX_BYTES:
        raise Unreadable("data", f"a certificate has at most {MAX_BYTES} bytes")
    return raw


def _of_pfx(raw: bytes, password: str | None) -> x509.Certificate:
    try:
        found = pkcs12.load_key_and_certificates(raw, password.encode() if password else None)[1]
    except (ValueError, UnsupportedAlgorithm):
        raise Unreadable("data", "it is no pfx, or the password does not open it") from None
    if found is None:
        raise Unreadable("data", "there is no certificate in the pfx")
    return found


def _of_cer(raw: bytes) -> x509.Certificate:
    try:
        load = x509.load_pem_x509_certificate if raw.lstrip().startswith(b"-----") else x509.load_der_x509_certificate
        return load(raw)
    except (ValueError, UnsupportedAlgorithm):
        raise Unreadable("data", "it is not a certificate in DER or PEM") from None
