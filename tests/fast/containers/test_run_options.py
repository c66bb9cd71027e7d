"""What containerRunOptions may say (spec/behaviour.md, 19)."""

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.run_options import BadOption, RunOptions, Ulimit, Volume, expand, parse


def test_every_option_of_the_subset_is_read():
    options = parse(
        "--rm --name mine -e A=1 --env=B='two words' -w /data --user 1000:1000 --entrypoint /bin/tool --label a=b "
        "--shm-size 64m --ulimit nofile=10:20 --init --read-only --tmpfs /tmp:size=1m --cap-drop CAP_CHOWN "
        "--security-opt no-new-privileges -m 1g --cpus 0.5 --gpus all -v $AZ_BATCH_NODE_SHARED_DIR/x:/x:ro"
    )
    assert options == RunOptions(
        environment={"A": "1", "B": "two words"},
        working_directory="/data",
        user="1000:1000",
        entrypoint=["/bin/tool"],
        labels={"a": "b"},
        shm_size=64 << 20,
        ulimits=(Ulimit("nofile", 10, 20),),
        init=True,
        read_only=True,
        tmpfs={"/tmp": "size=1m"},
        drop=("CHOWN",),
        no_new_privileges=True,
        memory=1 << 30,
        cpus=0.5,
        gpus="all",
        volumes=(Volume("$AZ_BATCH_NODE_SHARED_DIR/x", "/x", True),),
    )


def test_names_of_hosts_go_with_a_network_of_their_own_only():
    assert parse("--network none --hostname box --add-host db:10.0.0.1").hosts == {"db": "10.0.0.1"}
    with pytest.raises(BadOption, match=r"--hostname: .*--network none"):
        parse("--hostname box")


@pytest.mark.parametrize(
    "option",
    [
        "--privileged",
        "--device=/dev/sda",
        "--pid=host",
        "--ipc=host",
        "--uts=host",
        "--userns=host",
        "--cap-add=ALL",
        "--restart=always",
        "--detach",
        "--mount=type=bind,source=/,target=/host",
        "--volumes-from=other",
        "--cgroup-parent=/",
        "--publish=80:80",
        "--env-file=/etc/shadow",
        "--privilege",
    ],
)
def test_what_reaches_beyond_the_node_is_refused_by_its_name(option):
    with pytest.raises(BadOption) as refused:
        parse(f"--init {option}")
    assert refused.value.option == option.split("=")[0]


@pytest.mark.parametrize(
    ("text", "option"),
    [
        ("--network host", "--network"),
        ("--net=bridge", "--network"),
        ("--security-opt seccomp=unconfined", "--security-opt"),
        ("-v /etc/../etc:/x", "--volume"),
        ("-v relative:/x", "--volume"),
        ("-v /data", "--volume"),
        ("-e NAME", "--env"),
        ("--memory lots", "--memory"),
        ("--cpus 0", "--cpus"),
        ("--ulimit nofile", "--ulimit"),
        ("--label nodefarm.node=x", "--label"),
        ("--workdir here", "--workdir"),
        ("image:tag", ""),
        ("'unclosed", ""),
    ],
)
def test_a_wrong_value_names_its_option(text, option):
    with pytest.raises(BadOption) as refused:
        parse(text)
    assert refused.value.option == option


def test_volumes_lie_below_the_root_of_the_node():
    environment = {"AZ_BATCH_NODE_SHARED_DIR": "/mnt/batch/shared"}
    assert expand("${AZ_BATCH_NODE_SHARED_DIR}/a", environment, "/mnt/batch") == "/mnt/batch/shared/a"
    assert expand("/mnt/batch", environment, "/mnt/batch") == "/mnt/batch"
    for source in ("/mnt/batchelor", "/etc", "$AZ_BATCH_NODE_SHARED_DIR/../../../etc", "$AZ_BATCH_NOTHING"):
        with pytest.raises(BadOption):
            expand(source, environment, "/mnt/batch")


@given(st.lists(st.text(max_size=12), max_size=8))
def test_any_text_is_read_or_refused(words):
    text = " ".join(map(shlex.quote, words))
    try:
        parse(text)
    except BadOption as refused:
        assert str(refused)
