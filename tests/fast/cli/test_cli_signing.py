"""Our signatures are those of Microsoft's own client."""

from email.utils import formatdate

import pytest
import requests
from azure.batch.batch_auth import SharedKeyAuth

from orchestrator.cli.signing import authorization, string_to_sign

KEY = "c2VjcmV0IG9mIGZvcnR5LWVpZ2h0IGJ5dGVz"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/pools?api-version=2024-02-01.19.0&$filter=state%20eq%20%27active%27&maxresults=3", None),
        ("POST", "/jobs/sched%3Ajob-1/terminate?api-version=2024-02-01.19.0&timeout=30", b'{"a": 1}'),
        ("DELETE", "/jobs/j/tasks/t/files/wd%2Fa%2Bb.txt?api-version=2024-02-01.19.0&recursive=true", None),
        ("GET", "/jobs?api-version=x&zeta=1&Alpha=%20&empty=", None),
    ],
)
def test_the_header_is_what_the_sdk_sends(method, path, body):
    headers = {"ocp-date": formatdate(usegmt=True), "ocp-range": "bytes=3-", "If-Match": "0x8D"}
    if body is not None:
        headers["Content-Type"] = "application/json; odata=minimalmetadata"
    theirs = requests.Request(method, "http://farm" + path, headers=headers, data=body).prepare()
    sent = dict(theirs.headers)
    SharedKeyAuth("Authorization", "acc", KEY)(theirs)

    raw, _, query = path.partition("?")

    assert authorization(method, raw, query, sent, "acc", KEY) == theirs.headers["Authorization"]


def test_the_signed_text_is_as_the_specification_draws_it():
    text = string_to_sign("get", "/jobs/a%2Fb", "b=2&a=x%20y", {"ocp-date": "D", "Content-Length": "0"}, "acc")

    assert text == "GET\n\n\n0\n\n\n\n\n\n\n\n\nocp-date:D\n/acc/jobs/a%2Fb\na:x y\nb:2"


def test_a_key_that_is_not_base64_is_refused():
    with pytest.raises(ValueError):
        authorization("GET", "/", "", {}, "acc", "no base64!")
