"""Users of nodes log in with a real SSH client; those who may not, cannot (spec/behaviour.md, 17)."""

import time

import paramiko
import pytest
from farm_support import wait_until
from paramiko.ssh_exception import AuthenticationException
from probing import PoolNodes, said
from tables import note

from tests.certificates import Made

pytestmark = pytest.mark.timeout(300)  # the first test waits for the nodes of all pools

IMAGES = {"apart": "stock", "bullseye": "debian:bullseye-slim", "busybox": "busybox:1.36"}
"""Of what the nodes of a pool are made."""


def soon(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))


@pytest.mark.parametrize("pool", IMAGES)
def test_a_user_logs_in_with_a_password_whatever_the_image(pools: dict[str, PoolNodes], pool: str) -> None:
    pools[pool].user("ann", password="pässword")

    with pools[pool].login("ann", password="pässword") as session:
        assert said(session, "id -un").strip() == "ann"
        seen = said(session, "env; cat /proc/self/status")
        assert "AZ_BATCH" not in seen and "NODEFARM" not in seen and "LD_" not in seen
        assert "CapPrm:\t0000000000000000" in seen
        with session.open_sftp() as files:
            files.open("note", "w").write("kept")
            assert files.stat("note").st_size == 4
    with pytest.raises(AuthenticationException):
        pools[pool].login("ann", password="wrong")
    note("image", IMAGES[pool], "ssh", "works")


def test_remote_users_find_their_certificates_at_home_and_tasks_do_not(
    pools: dict[str, PoolNodes], certificate: Made
) -> None:
    apart = pools["apart"]
    apart.user("cera", password="p")

    name = f"sha1-{certificate.thumbprint}.pfx"
    with apart.login("cera", password="p") as session:
        seen = said(session, f"cd certs && stat -c '%n %a %U' . * && base64 -w0 {name}").splitlines()
    assert seen == [". 700 cera", f"{name} 600 cera", f"{name}.pw 600 cera", certificate.pfx]
    assert apart.run("/bin/sh -c 'ls $AZ_BATCH_CERTIFICATES_DIR'") == ""


@pytest.mark.parametrize("pool", IMAGES)
def test_an_administrator_is_root_and_cannot_change_the_firewall(pools: dict[str, PoolNodes], pool: str) -> None:
    pools[pool].user("adm", password="p", isAdmin=True)

    with pools[pool].login("adm", password="p") as session:
        sudo = "" if pool == "busybox" else said(session, "command -v sudo").strip()
        assert said(session, f"{sudo} id -u").strip() == "0"
        refused = said(session, f"{sudo} /opt/nodefarm/agent/bin/nft flush ruleset")
    assert "not permitted" in refused


def test_a_key_lets_in_until_the_second_that_it_is_over(pools: dict[str, PoolNodes]) -> None:
    key = paramiko.ECDSAKey.generate()
    apart = pools["apart"]
    life = 6
    apart.user("bob", sshPublicKey=f"{key.get_name()} {key.get_base64()} bob@home", expiryTime=soon(life))
    made = time.monotonic()
    session = apart.login("bob", pkey=key)
    assert said(session, "sudo -n true") != ""

    wait_until(lambda: not session.get_transport().is_active(), life + 5)

    assert time.monotonic() - made > life - 2
    with pytest.raises(AuthenticationException):
        apart.login("bob", pkey=key)

    changed = apart.farm.raw("PUT", f"{apart.path()}/users/bob", {"password": "new"})

    assert changed.status_code == 200
    apart.login("bob", password="new").close()
    with pytest.raises(AuthenticationException):  # PUT replaces everything: the key is gone
        apart.login("bob", pkey=key)


def test_a_deleted_user_is_thrown_out_and_stays_out(pools: dict[str, PoolNodes]) -> None:
    apart = pools["apart"]
    apart.user("eve", password="p")
    session = apart.login("eve", password="p")
    said(session, "nohup sleep 600 >/dev/null 2>&1 &")

    assert apart.farm.raw("DELETE", f"{apart.path()}/users/eve").status_code == 200

    wait_until(lambda: not session.get_transport().is_active(), 10)
    with pytest.raises(AuthenticationException):
        apart.login("eve", password="p")
    assert apart.run("/bin/sh -c 'pgrep sleep || echo none'") == "none\n"
    assert apart.farm.raw("DELETE", f"{apart.path()}/users/eve").json()["code"] == "NodeUserNotFound"


def test_users_that_cannot_be_are_refused_by_name(pools: dict[str, PoolNodes]) -> None:
    apart = pools["apart"]
    users = f"{apart.path()}/users"
    apart.user("twin", password="p")
    for method, path, body, status, code in (
        ("POST", users, {"name": "twin", "password": "p"}, 409, "NodeUserExists"),
        ("POST", users, {"name": "www-data", "password": "p"}, 409, "NodeUserExists"),
        ("POST", users, {"name": "late", "password": "p", "expiryTime": soon(-60)}, 400, "InvalidPropertyValue"),
        ("PUT", f"{users}/nobody-here", {"password": "p"}, 404, "NodeUserNotFound"),
        ("POST", "/pools/apart/nodes/none/users", {"name": "a", "password": "p"}, 404, "NodeNotFound"),
    ):
        answer = apart.farm.raw(method, path, body)
        assert (answer.status_code, answer.json()["code"]) == (status, code), path


def test_passwords_of_users_never_reach_redis(pools: dict[str, PoolNodes], shared_docker) -> None:
    secret = "never-in-redis-7421"
    pools["apart"].user("quiet", password=secret)

    folder = shared_docker.farm.data_dir / "redis"
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert any(b"apart" in path.read_bytes() for path in files), "what Redis wrote down is read here"
    assert not any(secret.encode() in path.read_bytes() for path in files)


def test_a_nat_pool_for_port_22_decides_who_may_log_in(pools: dict[str, PoolNodes]) -> None:
    together = pools["together"]
    together.user("ann", password="p")
    settings = together.farm.raw("GET", f"{together.path()}/remoteloginsettings").json()
    assert 61_200 <= settings["remoteLoginPort"] < 61_300

    with pytest.raises((paramiko.SSHException, OSError)):
        together.login("ann", password="p")


def test_nodes_of_a_pool_reach_each_other_by_ssh_without_a_password(pools: dict[str, PoolNodes]) -> None:
    together = pools["together"]
    other = together.address(1)

    seen = together.run(f"/bin/sh -c 'id -u; ssh alice@{other} \"id -un; hostname\"'", 0, {"username": "alice"})

    assert seen.splitlines() == ["4242", "alice", together.nodes[1]["id"].replace("_", "-")]
