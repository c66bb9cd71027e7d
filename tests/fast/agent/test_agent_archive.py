"""Application packages that somebody hostile made."""

import os
import stat
import zipfile

import pytest

from agent.archive import BadArchive, Limits, unpack

LIMITS = Limits(bytes=300 << 20, ratio=200, entries=100)


def zipped(path, *entries):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content, *mode in entries:
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = (mode[0] if mode else 0) << 16
            archive.writestr(info, content)
    return path


def test_the_contents_of_a_package_are_at_the_top_and_can_be_run(tmp_path):
    unpack(zipped(tmp_path / "z", ("bin/app", "x"), ("data/", ""), ("win\\file", "y")), tmp_path / "out", LIMITS)

    assert (tmp_path / "out/bin/app").read_text() == "x"
    assert stat.S_IMODE((tmp_path / "out/bin/app").stat().st_mode) == 0o755
    assert (tmp_path / "out/data").is_dir()
    assert (tmp_path / "out/win/file").read_text() == "y"


@pytest.mark.parametrize(
    "name", ["../evil", "a/../../evil", "/etc/evil", "..\\evil", "C:\\evil", "C:evil", "a/..", "//evil"]
)
def test_an_entry_that_would_leave_the_folder_is_refused(tmp_path, name):
    with pytest.raises(BadArchive, match="leave the folder"):
        unpack(zipped(tmp_path / "z", ("ok", "x"), (name, "x")), tmp_path / "out", LIMITS)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFBLK, stat.S_IFSOCK])
def test_links_and_special_files_are_refused(tmp_path, kind):
    with pytest.raises(BadArchive, match="link or a special file"):
        unpack(zipped(tmp_path / "z", ("l", "/etc/passwd", kind | 0o777)), tmp_path / "out", LIMITS)


def test_a_bomb_is_stopped_while_it_unpacks(tmp_path):
    bomb = zipped(tmp_path / "z", ("zeros", b"\0" * (120 << 20)))
    assert os.path.getsize(bomb) < 1 << 20

    with pytest.raises(BadArchive, match="more than it may"):
        unpack(bomb, tmp_path / "out", LIMITS)
    assert sum(path.stat().st_size for path in (tmp_path / "out").rglob("*")) <= 101 << 20


def test_too_many_entries_are_refused(tmp_path):
    with pytest.raises(BadArchive, match="entries"):
        unpack(zipped(tmp_path / "z", *((f"f{n}", "") for n in range(101))), tmp_path / "out", LIMITS)


@pytest.mark.parametrize("entries", [[("a", "x"), ("a", "y")], [("a", "x"), ("a/b", "y")], [("a/b", "x"), ("a", "y")]])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_entries_that_contradict_each_other_are_refused(tmp_path, entries):
    with pytest.raises(BadArchive):
        unpack(zipped(tmp_path / "z", *entries), tmp_path / "out", LIMITS)


def test_what_is_no_zip_is_refused(tmp_path):
    (tmp_path / "z").write_bytes(b"PK\3\4 rubbish")
    with pytest.raises(BadArchive, match="not a usable zip"):
        unpack(tmp_path / "z", tmp_path / "out", LIMITS)
