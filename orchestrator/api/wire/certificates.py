"""Certificates and references to them (spec/api.md, 6; spec/behaviour.md, 18), which api-versions have until 20.0."""

from typing import Annotated, Any, Required

from pydantic import AfterValidator, Field, with_config
from typing_extensions import TypedDict

from orchestrator.api.wire.errors import invalid
from orchestrator.api.wire.parts import STRICT
from orchestrator.api.wire.types import Text, one_of, refuse
from orchestrator.domain import certificates

MAX_REFERENCES = 100


def _thumbprint(text: str) -> str:
    digits = text.lower()
    if len(digits) != 40 or set(digits) - set("0123456789abcdef"):
        raise refuse("the 40 hexadecimal digits of a SHA-1 are needed")
    return digits


Thumbprint = Annotated[str, AfterValidator(_thumbprint)]
Algorithm = one_of(certificates.ALGORITHM)


@with_config(STRICT)
class CertificateAdd(TypedDict, total=False):
    """`CertificateAddParameter`; at 20.0 the service calls it `Certificate`."""

    thumbprint: Required[Thumbprint]
    thumbprintAlgorithm: Required[Algorithm]
    data: Required[Text]
    certificateFormat: one_of("pfx", "cer")
    password: Text


@with_config(STRICT)
class CertificateReference(TypedDict, total=False):
    thumbprint: Required[Thumbprint]
    thumbprintAlgorithm: Required[Algorithm]
    storeLocation: one_of("currentuser", "localmachine")
    storeName: Text
    visibility: list[one_of(*certificates.VISIBILITIES)]


def _once_each(references: list[dict[str, Any]]) -> list[dict[str, Any]]:
    seen: set[str] = set()
    for reference in references:
        if reference["thumbprint"] in seen:
            raise refuse(f"{reference['thumbprint']} is named twice")
        seen.add(reference["thumbprint"])
    return references


References = Annotated[list[CertificateReference], Field(max_length=MAX_REFERENCES), AfterValidator(_once_each)]


def finish_add(body: dict[str, Any]) -> dict[str, Any]:
    """The body with its format.

    Raises:
        WireError: it is not the certificate that the thumbprint names; no secret is in the message.
    """
    body = {"certificateFormat": "pfx"} | body
    try:
        found = certificates.read(body["data"], body["certificateFormat"], body.get("password"))
    except certificates.Unreadable as error:
        raise invalid((error.member,), "", str(error)) from None
    if found.thumbprint != body["thumbprint"]:
        raise invalid(("thumbprint",), body["thumbprint"], "it is not that of the certificate in data")
    return body


def finish_references(pool: dict[str, Any]) -> dict[str, Any]:
    """A pool's references with their visibility: to everybody unless said otherwise. An empty list is none."""
    if "certificateReferences" not in pool:
        return pool
    named = [{"visibility": [*certificates.VISIBILITIES]} | one for one in pool["certificateReferences"]]
    return pool | {"certificateReferences": named or None}
