"""Uploads of certificates and references to them: what is taken, and what is wrong with the rest."""

import pytest

from orchestrator.api import wire
from orchestrator.api.lenses import NEWEST
from orchestrator.api.wire.errors import WireError
from orchestrator.domain import certificates
from tests.certificates import made
from tests.fast.wire.test_refusals import V19
from tests.fast.wire.wire_bodies import small_pool

SECRET = "pass word!"
ONE, OTHER = made("one", SECRET), made("other")


def upload(of=ONE, **changes):
    whole = {"thumbprint": of.thumbprint, "thumbprintAlgorithm": "sha1", "data": of.pfx, "password": SECRET}
    return {name: value for name, value in (whole | changes).items() if value is not None}


@pytest.mark.parametrize(
    ("data", "format", "password"),
    [(ONE.pfx, "pfx", SECRET), (ONE.der, "cer", None), (ONE.pem, "cer", "")],
    ids=["pfx", "der", "pem"],
)
def test_every_form_of_a_certificate_tells_its_thumbprint_and_its_public_part(data, format, password):
    assert certificates.read(data, format, password) == certificates.Read(ONE.thumbprint, ONE.der)


def test_an_upload_is_a_pfx_unless_said_otherwise_and_its_thumbprint_may_be_upper_case():
    canonical = wire.parse("certificate_add", upload(thumbprint=ONE.thumbprint.upper()), V19)
    assert canonical == upload(certificateFormat="pfx")
    assert wire.parse("certificate_add", upload(OTHER, password=None), V19)["thumbprint"] == OTHER.thumbprint


@pytest.mark.parametrize(
    ("body", "member"),
    [
        (upload(password="wrong"), "data"),
        (upload(password=None), "data"),
        (upload(data=ONE.der), "data"),
        (upload(data="no base64 at all!"), "data"),
        (upload(data=ONE.pfx, certificateFormat="cer", password=None), "data"),
        (upload(data=ONE.der, certificateFormat="cer"), "password"),
        (upload(thumbprint=OTHER.thumbprint), "thumbprint"),
        (upload(thumbprint="xy"), "thumbprint"),
        (upload(thumbprintAlgorithm="md5"), "thumbprintAlgorithm"),
        (upload(data="A" * 16_000), "data"),
    ],
)
def test_what_is_wrong_with_an_upload_is_named_without_telling_its_secrets(body, member):
    with pytest.raises(WireError) as refused:
        wire.parse("certificate_add", body, V19)
    assert (refused.value.code, refused.value.values["PropertyName"]) == ("InvalidPropertyValue", member)
    told = str(refused.value) + str(refused.value.values)
    assert SECRET not in told and ONE.pfx not in told


def test_references_are_visible_to_everybody_unless_said_otherwise_and_an_empty_list_takes_them_away():
    named = {"thumbprint": ONE.thumbprint.upper(), "thumbprintAlgorithm": "SHA1"}
    pool = wire.parse("pool_add", small_pool(certificateReferences=[named]), V19)
    assert pool["certificateReferences"] == [
        {"thumbprint": ONE.thumbprint, "thumbprintAlgorithm": "sha1", "visibility": ["starttask", "task", "remoteuser"]}
    ]
    only = [named | {"visibility": ["startTask"], "storeLocation": "localMachine", "storeName": "Root"}]
    (shown,) = wire.parse("pool_patch", {"certificateReferences": only}, V19)["certificateReferences"]
    assert (shown["visibility"], shown["storeLocation"]) == (["starttask"], "localmachine")
    assert wire.parse("pool_patch", {"certificateReferences": []}, V19)["certificateReferences"] is None
    with pytest.raises(WireError, match="named twice"):
        wire.parse("pool_add", small_pool(certificateReferences=[named, named]), V19)


def test_api_versions_that_dropped_certificates_refuse_references():
    with pytest.raises(WireError) as refused:
        wire.parse("pool_add", small_pool(certificateReferences=[]), NEWEST)
    assert refused.value.code == "UnsupportedProperty"
