"""A call that needs what the farm's driver cannot do says so, and names the driver that can."""

import pytest

from orchestrator.api.errors import ApiError
from orchestrator.api.operation import Operation
from orchestrator.api.wire.rules import Rules

NODE = "/pools/{poolId}/nodes/{nodeId}"
LOGIN_CALLS = [
    ("POST", f"{NODE}/users"),
    ("PUT", f"{NODE}/users/{{userName}}"),
    ("DELETE", f"{NODE}/users/{{userName}}"),
    ("GET", f"{NODE}/remoteloginsettings"),
]


@pytest.mark.parametrize(("method", "path"), LOGIN_CALLS)
def test_logins_need_a_driver_with_ssh(method, path):
    call = Operation(method, path)
    call.check_driver(Rules(driver="docker", capabilities=frozenset({"ssh"})))
    with pytest.raises(ApiError) as refused:
        call.check_driver(Rules(driver="process", capabilities=frozenset({"users"})))
    assert refused.value.code == "UnsupportedRequestVersion"
    assert f"{method} {path}" in refused.value.message
    assert "'ssh'" in refused.value.message and "'docker' has it" in refused.value.message


def test_calls_that_need_nothing_are_for_every_driver():
    Operation("GET", NODE).check_driver(Rules(driver="process", capabilities=frozenset()))
