"""Canonical models of the users of nodes (spec/behaviour.md, 17): for remote logins, never for tasks."""

import base64
import binascii
import re
from typing import Annotated, Any, Required

from pydantic import AfterValidator, StringConstraints, with_config
from typing_extensions import TypedDict

from orchestrator.api.wire.errors import invalid
from orchestrator.api.wire.parts import STRICT
from orchestrator.api.wire.types import Bool, Moment, refuse

RESERVED = re.compile(r"root|sshd|nobody|daemon|bin|sys|_azbatch.*", re.ASCII)
"""Names that the node itself needs."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}", re.ASCII)
_KEY = re.compile(r"(?P<kind>[a-z0-9@.-]{3,64}) (?P<blob>[A-Za-z0-9+/]{16,8192}={0,2})( [^\x00-\x1f\x7f]*)?", re.ASCII)


def login_name(text: str) -> str:
    """A name that a Linux node can have and does not need for itself."""
    if not _NAME.fullmatch(text):
        raise refuse("a letter or _ first, then letters, digits, '_', '-' and '.', 32 characters at most")
    if RESERVED.fullmatch(text):
        raise refuse("the node needs this name for itself")
    return text


def public_key(text: str) -> str:
    """One line of OpenSSH's own format, `kind base64 comment`: what authorized_keys holds, without options."""
    found = _KEY.fullmatch(text.strip())
    try:
        blob = base64.b64decode(found["blob"], validate=True) if found else b""
    except binascii.Error:
        blob = b""
    if not found or blob[4 : 4 + int.from_bytes(blob[:4], "big")] != found["kind"].encode():
        raise refuse("not a public key as OpenSSH writes it (ssh-rsa AAAA...)")
    return f"{found['kind']} {found['blob']}"


LoginName = Annotated[str, AfterValidator(login_name)]
PublicKey = Annotated[str, AfterValidator(public_key)]
Password = Annotated[str, StringConstraints(pattern=r"^[^\x00\r\n]+$", max_length=512)]


@with_config(STRICT)
class NodeUserAdd(TypedDict, total=False):
    """`ComputeNodeUser`."""

    name: Required[LoginName]
    isAdmin: Bool
    expiryTime: Moment
    password: Password
    sshPublicKey: PublicKey


@with_config(STRICT)
class NodeUserUpdate(TypedDict, total=False):
    """`NodeUpdateUserParameter`: replaces everything, what is left out included."""

    expiryTime: Moment
    password: Password
    sshPublicKey: PublicKey


def finish_add(user: dict[str, Any]) -> dict[str, Any]:
    """A new user with its defaults; one that nobody could log in as is refused, as by the service."""
    if "password" not in user and "sshPublicKey" not in user:
        raise invalid(("password",), "", "a password or an sshPublicKey is needed")
    return {"isAdmin": False} | user
