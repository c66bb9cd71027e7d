"""Certificates of the account (spec/api.md, 3, Certificates)."""

from fastapi import APIRouter
from starlette.responses import Response

from orchestrator.api import listing
from orchestrator.api.call import Call
from orchestrator.api.operation import LIST, SELECT, operation
from orchestrator.api.wire import present
from orchestrator.api.wire.secrets import seal_body
from orchestrator.domain import certificates
from orchestrator.domain.errors import Refused

router = APIRouter(tags=["certificates"])
ONE = "/certificates(thumbprintAlgorithm={alg},thumbprint={tp})"


@operation(router, "POST", "/certificates", body="certificate_add", status=201)
async def add_certificate(call: Call) -> Response:
    """Add a certificate."""
    given = await call.parse("certificate_add")
    public = certificates.read(given["data"], given["certificateFormat"], given.get("password")).public
    body = seal_body("certificate_add", given, call.farm.vault)
    made = await call.store.certificates.add(
        body["thumbprint"], format=body["certificateFormat"], data=body["data"], password=body.get("password"),
        public=public,
    )  # fmt: skip
    return call.written(201, made.modified, present.certificate_url(call.base, made.thumbprint), location=True)


@operation(router, "GET", "/certificates", query=LIST, answer="certificate", listing=True)
async def list_certificates(call: Call) -> Response:
    """List the certificates of the account."""
    return await listing.facts(
        call, "certificate", "certificates", call.store.certificates.page,
        lambda one: present.certificate_object(one, call.base),
    )  # fmt: skip


@operation(router, "GET", ONE, query=SELECT, answer="certificate")
async def get_certificate(call: Call) -> Response:
    """Get a certificate."""
    found = await call.store.certificates.get(_thumbprint(call))
    document = present.certificate_object(found, call.base)
    return listing.entity(call, "certificate", "certificates/@Element", document, listing.headers(call, found.modified))


@operation(router, "DELETE", ONE, status=202)
async def delete_certificate(call: Call) -> Response:
    """Delete a certificate; while a pool or a node uses it this ends in deletefailed."""
    await call.store.certificates.delete(_thumbprint(call))
    return call.accepted(202)


@operation(router, "POST", f"{ONE}/canceldelete", status=204)
async def cancel_certificate_deletion(call: Call) -> Response:
    """Make a certificate whose deletion failed active again."""
    made = await call.store.certificates.cancel_delete(_thumbprint(call))
    return call.written(204, made.modified)


def _thumbprint(call: Call) -> str:
    algorithm = call.id("alg", "CertificateNotFound")
    if algorithm.lower() != certificates.ALGORITHM:
        raise Refused("CertificateNotFound", f"There are no certificates with thumbprints of {algorithm}.")
    return call.id("tp", "CertificateNotFound")
