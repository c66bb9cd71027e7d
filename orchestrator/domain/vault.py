"""Secrets at rest: sealed with a key that lives outside Redis, shown only with the secret taken out."""

import base64
import hashlib
import re
from urllib.parse import parse_qsl, quote, urlsplit, urlunsplit

from cryptography.fernet import Fernet, InvalidToken

PREFIX = "sealed:v1:"
_HIDDEN = {"sig", "signature", "x-amz-signature", "x-amz-security-token", "fence"}


class VaultError(ValueError):
    """The sealed text was not made with this farm's key."""


class Vault:
    """Seals and opens strings. `secret` is the farm's secret, at least 32 random bytes."""

    def __init__(self, secret: bytes) -> None:
        self._fernet = Fernet(base64.urlsafe_b64encode(hashlib.sha256(b"seal:" + secret).digest()))

    def seal(self, plain: str, shown: str = "") -> str:
        """Encrypt `plain`; `shown` is what a reader may see of it. Sealing twice changes nothing."""
        if is_sealed(plain):
            return plain
        return PREFIX + self._fernet.encrypt(plain.encode()).decode() + ":" + shown

    def seal_url(self, url: str) -> str:
        """Seal a URL that carries a signature or a password; leave any other as it is."""
        shown = without_secrets(url)
        return url if shown == url else self.seal(url, shown)

    def open(self, text: str) -> str:
        """The plain string; a string that was never sealed is returned as it is.

        Raises:
            VaultError: sealed with another key.
        """
        if not is_sealed(text):
            return text
        token = text[len(PREFIX) :].split(":", 1)[0]
        try:
            return self._fernet.decrypt(token.encode()).decode()
        except InvalidToken as error:
            raise VaultError("sealed with another key; was the farm's secret file replaced?") from error


def is_sealed(text: str) -> bool:
    return text.startswith(PREFIX)


def shown(text: str) -> str:
    """What a reader may see of a string that may be sealed."""
    return text[len(PREFIX) :].split(":", 1)[1] if is_sealed(text) else text


def without_secrets(url: str) -> str:
    """The URL without the values of signature parameters and without a password."""
    parts = urlsplit(url)
    query = parts.query
    if any(name.lower() in _HIDDEN for name, _ in parse_qsl(query, keep_blank_values=True)):
        query = "&".join(
            f"{quote(name, safe='$-_.~')}={'REDACTED' if name.lower() in _HIDDEN else quote(value, safe='')}"
            for name, value in parse_qsl(parts.query, keep_blank_values=True)
        )
    netloc = re.sub(r"^([^:@]*):[^@]*@", r"\1@", parts.netloc)
    if query == parts.query and netloc == parts.netloc:
        return url
    return urlunsplit((parts.scheme, netloc, parts.path, query, parts.fragment))
