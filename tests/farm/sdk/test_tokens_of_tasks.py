"""The token of a task opens its own job and nothing else, and dies with the task."""

import json

import httpx
import pytest
from farm_support import HERE, SDKS


@pytest.fixture(scope="module")
def seen(shared_farm):
    given = {"python": str(SDKS / "14.2.0" / "bin" / "python"), "program": str(HERE / "sdk/programs/in_node_14.py")}
    return shared_farm.program("14.2.0", "tokens_14", json.dumps(given))


def test_a_program_on_a_node_adds_50_tasks_to_its_own_job_with_its_token(seen):
    assert seen["seen"]["added"] == 50
    assert seen["seen"]["failed"] == 25
    assert seen["seen"]["file"] == ""
    assert seen["settings"] == ["job"]


def test_the_token_opens_nothing_else(seen):
    elsewhere = seen["seen"]["elsewhere"]
    assert elsewhere.pop("a forged token") == [403, "AuthenticationFailed"]
    assert set(map(tuple, elsewhere.values())) == {(403, "InsufficientAccountPermissions")}


def test_the_token_dies_with_the_task_and_only_those_who_ask_get_one(seen, farm):
    assert seen["token"].startswith("t")
    url = f"{farm.endpoint}/jobs/{seen['job']}?api-version=2024-02-01.19.0"
    answer = httpx.get(url, headers={"authorization": f"Bearer {seen['token']}"})
    assert (answer.status_code, answer.json()["code"]) == (403, "AuthenticationFailed")
    assert seen["plain"] == "[]"
