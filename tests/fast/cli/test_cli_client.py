"""The client reads lists to their end, waits out a busy farm and turns every answer into one clear error."""

import json

import httpx
import pytest

from orchestrator.cli import client as client_module
from orchestrator.cli.client import FarmClient, path_of
from orchestrator.cli.errors import ApiError, Exit, NoFarm
from orchestrator.cli.submit import add_tasks


class Script:
    """A farm that answers as it is told, and remembers what it was asked."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []

    def __call__(self, request):
        self.asked.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer(request) if callable(answer) else answer


@pytest.fixture
def farm_that():
    made = []

    def make(*answers):
        script = Script(*answers)
        made.append(FarmClient("http://farm:1/", "acc", "c2VjcmV0", httpx.MockTransport(script)))
        return made[-1], script

    yield make
    for one in made:
        one.close()


def refusal(status, code, text="no\nRequestId:1\nTime:2", **more):
    body = {"code": code, "message": {"lang": "en-US", "value": text}} | more
    return httpx.Response(status, json=body)


def test_every_page_of_a_list_is_read_and_each_request_is_signed_anew(farm_that):
    farm, script = farm_that(
        httpx.Response(
            200, json={"value": [{"id": 1}], "odata.nextLink": "http://farm:1/jobs?api-version=x&$skiptoken=t"}
        ),
        httpx.Response(200, json={"value": [{"id": 2}]}),
    )

    assert [one["id"] for one in farm.every("/jobs", __filter="state eq 'active'")] == [1, 2]
    assert script.asked[0].url.params["$filter"] == "state eq 'active'"
    assert script.asked[1].url.params["$skiptoken"] == "t"
    assert script.asked[0].headers["authorization"] != script.asked[1].headers["authorization"]


def test_a_busy_farm_is_asked_again_after_the_time_it_names(farm_that, monkeypatch):
    pauses = []
    monkeypatch.setattr(client_module.time, "sleep", pauses.append)
    farm, script = farm_that(
        httpx.Response(503, headers={"retry-after": "2"}), httpx.Response(429), httpx.Response(200, json={"id": "p"})
    )

    assert farm.get("/pools/p") == {"id": "p"}
    assert pauses == [2.0, 1.0]
    assert len(script.asked) == 3


def test_a_farm_that_stays_busy_is_given_up(farm_that, monkeypatch):
    monkeypatch.setattr(client_module, "BUSY_SECONDS", -1.0)
    farm, _ = farm_that(refusal(503, "ServerBusy"))

    with pytest.raises(ApiError) as caught:
        farm.get("/pools/p")
    assert caught.value.exit_code == Exit.FAILED


@pytest.mark.parametrize(
    ("answer", "exit_code", "text"),
    [
        (refusal(404, "PoolNotFound"), Exit.NOT_FOUND, "PoolNotFound: no"),
        (refusal(409, "PoolExists"), Exit.REFUSED, "PoolExists: no"),
        (
            refusal(400, "InvalidPropertyValue", values=[{"key": "PropertyName", "value": "vmSize"}]),
            Exit.REFUSED,
            "InvalidPropertyValue: no (vmSize)",
        ),
        (httpx.Response(404, json={"error": {"code": "X", "message": "plain"}}), Exit.NOT_FOUND, "X: plain"),
        (httpx.Response(502, text="<html>"), Exit.FAILED, "HTTP 502"),
        (httpx.Response(400, json=["odd"]), Exit.REFUSED, "HTTP 400"),
    ],
)
def test_an_error_body_becomes_one_line_and_an_exit_code(farm_that, answer, exit_code, text):
    farm, _ = farm_that(answer)

    with pytest.raises(ApiError) as caught:
        farm.get("/pools/p")
    assert (caught.value.exit_code, str(caught.value)) == (exit_code, text)


def test_silence_means_that_there_is_no_farm(farm_that):
    farm, _ = farm_that(httpx.ConnectError("refused"))

    with pytest.raises(NoFarm, match="http://farm:1"):
        farm.get("/pools")


def test_a_farm_that_answered_before_may_start_again_meanwhile(farm_that, monkeypatch):
    monkeypatch.setattr(client_module.time, "sleep", lambda seconds: None)
    farm, script = farm_that(
        httpx.Response(200, json={}),
        httpx.ConnectError("refused"),
        httpx.Response(201),
        httpx.ReadError("cut"),
        httpx.Response(200, json={"id": "p"}),
        httpx.ReadError("cut"),
    )

    farm.get("/pools")
    farm.post("/pools", {"id": "p"})
    assert farm.get("/pools/p") == {"id": "p"}
    with pytest.raises(NoFarm):  # it may have arrived: sending it again could do it twice
        farm.post("/pools", {"id": "q"})
    assert len(script.asked) == 6


def test_ids_are_encoded_as_one_segment_each():
    path = path_of("jobs", "s:job-1", "files", "wd/a b+.txt")

    assert path == "/jobs/s%3Ajob-1/files/wd%2Fa%20b%2B.txt"


def added(request):
    tasks = json.loads(request.content)["value"]
    return httpx.Response(200, json={"value": [{"status": "Success", "taskId": task["id"]} for task in tasks]})


def test_tasks_go_out_in_hundreds_and_in_halves_when_a_hundred_is_too_large(farm_that):
    farm, script = farm_that(added, refusal(413, "RequestBodyTooLarge"), added, added)
    counts = []

    add_tasks(farm, "j", [{"id": str(n)} for n in range(150)], counts.append)

    sizes = [len(json.loads(request.content)["value"]) for request in script.asked]
    assert (sizes, counts) == ([100, 50, 25, 25], [100, 25, 25])


def test_refused_tasks_are_named_with_their_reason(farm_that):
    error = {"code": "TaskExists", "message": {"value": "there\nRequestId:1"}}
    farm, _ = farm_that(
        httpx.Response(200, json={"value": [{"status": "ClientError", "taskId": "a", "error": error}]}),
    )

    with pytest.raises(Exception, match=r"task a: TaskExists: there$"):
        add_tasks(farm, "j", [{"id": "a"}])
