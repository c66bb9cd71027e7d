"""The processor time of a task's container is read from its control group below the node's."""

from agent.container_usage import ContainerUsage


def test_what_was_seen_last_stays_when_the_container_has_gone(tmp_path):
    folder = tmp_path / "cpuacct" / "c1"
    folder.mkdir(parents=True)
    (folder / "cpuacct.stat").write_text("user 150\nsystem 7\n")
    usage = ContainerUsage("c1", str(tmp_path))

    assert usage.look() and (usage.user, usage.kernel) == (1_500_000, 70_000)
    (folder / "cpuacct.stat").unlink()
    assert not usage.look() and (usage.user, usage.kernel) == (1_500_000, 70_000)


def test_where_nothing_is_to_be_seen_it_is_nothing(tmp_path):
    usage = ContainerUsage("c1", str(tmp_path))
    assert not usage.look() and (usage.user, usage.kernel) == (0, 0)
