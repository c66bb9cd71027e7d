"""/etc as the agent writes it: its own lines, everybody else's as they were."""

import os

from agent.etc import LOCKED, Entry, Etc

IMAGE = "root:x:0:0:root:/root:/bin/sh\nann-marie:x:7:7::/:/bin/false\n"


def etc(tmp_path, passwd=IMAGE):
    (tmp_path / "passwd").write_text(passwd)
    return Etc(str(tmp_path))


def lines(tmp_path, name):
    return (tmp_path / name).read_text().splitlines()


def test_users_are_made_replaced_and_dropped_and_others_stay(tmp_path):
    files = etc(tmp_path)
    files.put([Entry("ann", 5, 6, "/home/ann", "hash")])
    assert files.has("ann") and files.has("root") and not files.has("an")
    assert lines(tmp_path, "passwd")[:2] == IMAGE.splitlines()
    assert lines(tmp_path, "passwd")[2].startswith("ann:x:5:6::/home/ann:/bin/")
    assert lines(tmp_path, "shadow") == ["ann:hash:1::::::"]
    files.put([Entry("ann", 5, 6, "/home/ann", LOCKED)])
    assert lines(tmp_path, "shadow") == ["ann:!:1::::::"]
    files.drop({"ann", "nobody-there"})
    assert lines(tmp_path, "passwd") == IMAGE.splitlines() and lines(tmp_path, "shadow") == []


def test_an_image_without_any_of_the_files_gets_them(tmp_path):
    files = Etc(str(tmp_path))
    files.put([Entry("ann", 5, 6, "/home/ann")])
    files.group("in", 9, {"b", "a"})
    files.group("in", 9, {"a"})
    files.file("sudoers.d/x", "ann ALL=(ALL) NOPASSWD:ALL\n", 0o440)
    assert lines(tmp_path, "group") == ["in:x:9:a"]
    modes = {name: os.stat(tmp_path / name).st_mode & 0o777 for name in ("passwd", "shadow", "group", "sudoers.d/x")}
    assert modes == {"passwd": 0o644, "shadow": 0o600, "group": 0o644, "sudoers.d/x": 0o440}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["group", "passwd", "shadow", "sudoers.d"]
