"""Which zips may be application packages, and what is said of those that may not."""

import io
import stat
import struct
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.packages import BadPackage, Limits, inspect


def archive(*entries, compression=zipfile.ZIP_DEFLATED) -> bytes:
    """A zip of (name or ZipInfo, content)."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as made:
        for name, content in entries:
            made.writestr(name, content)
    return out.getvalue()


def check(data: bytes, limits: Limits | None = None) -> int:
    return inspect(io.BytesIO(data), len(data), limits)


def entry(name: str, mode: int = stat.S_IFREG | 0o644) -> zipfile.ZipInfo:
    made = zipfile.ZipInfo(name)
    made.external_attr = mode << 16
    return made


def test_an_ordinary_archive_passes_and_tells_its_unpacked_size():
    data = archive(("bin/", b""), ("bin/run", b"x" * 1000), ("ünïcödé/🙂.txt", b"yz"), (".hidden", b""))
    assert check(data) == 1002


def test_an_empty_archive_passes():
    assert check(archive()) == 0


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("../escape", "would leave"),
        ("a/../../escape", "would leave"),
        ("a/..", "would leave"),
        ("/etc/passwd", "absolute"),
        ("C:/windows", "absolute"),
        ("c:evil", "absolute"),
        ("..\\escape", "backslashes"),
        ("a\\b", "backslashes"),
        ("a//b", "empty part"),
        ("./a", "empty part"),
        ("x" * 256, "too long"),
        ("/".join(["y" * 200] * 12), "too long"),
    ],
)
def test_a_name_that_could_leave_the_folder_or_cannot_be_a_file_is_refused(name, reason):
    with pytest.raises(BadPackage, match=reason):
        check(archive(("good", b"x"), (name, b"x")))


def test_a_nul_in_a_name_is_refused():
    data = archive(("safeXevil", b"x")).replace(b"safeXevil", b"safe\0evil")
    with pytest.raises(BadPackage, match="NUL"):
        check(data)


@pytest.mark.parametrize(
    ("mode", "reason"),
    [
        (stat.S_IFLNK | 0o777, "is a link"),
        (stat.S_IFIFO | 0o644, "neither"),
        (stat.S_IFCHR | 0o644, "neither"),
        (stat.S_IFSOCK | 0o644, "neither"),
    ],
)
def test_what_is_no_file_and_no_folder_is_refused(mode, reason):
    with pytest.raises(BadPackage, match=reason):
        check(archive((entry("odd", mode), b"/etc/passwd")))


def test_a_bomb_is_refused_before_it_is_unpacked():
    data = archive(("zeros", b"\0" * 5_000_000))
    with pytest.raises(BadPackage, match="zip bomb"):
        check(data, Limits(harmless=1_000_000))
    assert check(data) == 5_000_000


def test_too_much_and_too_many_are_refused():
    with pytest.raises(BadPackage, match="unpacks to 10 bytes"):
        check(archive(("a", b"x" * 10)), Limits(total=9))
    with pytest.raises(BadPackage, match="3 entries"):
        check(archive(("a", b""), ("b", b""), ("c", b"")), Limits(entries=2))


def test_entries_that_share_their_bytes_are_refused():
    data = archive(("aaaa", b"content" * 100), compression=zipfile.ZIP_STORED)
    directory = data.index(b"PK\1\2")
    record, end = data[directory:-22], data[-22:]
    twice = record + record.replace(b"aaaa", b"bbbb")
    sizes = struct.pack("<HHLL", 2, 2, len(twice), directory)
    with pytest.raises(BadPackage, match="overlap"):
        check(data[:directory] + twice + end[:8] + sizes + end[20:])


def test_an_encrypted_entry_is_refused():
    data = bytearray(archive(("secret", b"x")))
    data[6] |= 1
    data[data.index(b"PK\1\2") + 8] |= 1
    with pytest.raises(BadPackage, match="encrypted"):
        check(bytes(data))


def test_an_unknown_compression_is_refused():
    data = bytearray(archive(("a", b"x")))
    directory = data.index(b"PK\1\2")
    data[directory + 10 : directory + 12] = struct.pack("<H", 99)
    with pytest.raises(BadPackage, match="not supported"):
        check(bytes(data))


def test_a_changed_content_is_noticed():
    data = archive(("a", b"0123456789" * 10), compression=zipfile.ZIP_STORED)
    with pytest.raises(BadPackage, match="damaged"):
        check(data.replace(b"0123456789", b"012345678x", 1))


def test_an_entry_that_unpacks_to_more_than_it_says_is_noticed():
    data = archive(("a", b"x" * 1000))
    with pytest.raises(BadPackage, match="damaged"):
        check(data.replace(struct.pack("<L", 1000), struct.pack("<L", 10)))


@pytest.mark.parametrize(
    "data",
    [b"", b"no zip", b"PK\3\4" + b"x" * 100, archive(("a", b"x"))[:-10]],
    ids=["empty", "text", "a head alone", "cut short"],  # an archive tells the time: every run would name it anew
)
def test_what_is_no_zip_is_refused(data):
    with pytest.raises(BadPackage, match="not a zip archive"):
        check(data)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_that_is_there_twice_is_refused():
    with pytest.raises(BadPackage, match="twice"):
        check(archive(("a", b"1"), ("a", b"2")))


def test_a_name_that_is_a_file_and_a_folder_is_refused():
    with pytest.raises(BadPackage, match="both a file and a folder"):
        check(archive(("a/b", b"1"), ("a", b"2")))


@given(position=st.integers(0, 400), value=st.integers(0, 255), cut=st.integers(0, 400))
def test_damage_anywhere_is_refused_or_harmless_but_never_an_accident(position, value, cut):
    data = bytearray(archive(("dir/file.txt", b"hello world" * 20), ("b", b"x" * 50)))
    data[position % len(data)] = value
    for damaged in (bytes(data), bytes(data[: cut % len(data)])):
        try:
            assert check(damaged) >= 0
        except BadPackage as refused:
            assert str(refused)
