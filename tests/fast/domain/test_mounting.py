"""What a pool may say about file systems that it mounts."""

import pytest

from orchestrator.domain.mounting import (
    BadMount,
    BlobOptions,
    KernelOptions,
    blob_options,
    kernel_options,
    mount_path,
    nfs_source,
    share_source,
)


def test_options_of_blobfuse_and_blobfuse2_are_read():
    text = "-o attr_timeout=240 -o entry_timeout=30,ro --file-cache-timeout-in-seconds=7 --allow-other"
    assert blob_options(text) == BlobOptions(True, 240, 30, 7)
    assert blob_options("--read-only --attr-timeout 3") == BlobOptions(True, 3)
    assert blob_options("") == BlobOptions()


@pytest.mark.parametrize("text", ["--log-level=LOG_DEBUG", "-o direct_io", "ro", "-o ro=1", "--attr-timeout=soon", "'"])
def test_other_options_are_refused_by_name(text):
    with pytest.raises(BadMount) as refusal:
        blob_options(text)
    assert text.split("=")[0].lstrip("-o ").split()[0] in str(refusal.value) or text == "'"


def test_options_of_the_kernel_are_told_apart_from_general_ones():
    assert kernel_options("-o vers=4.1,ro,sec=sys") == KernelOptions(("ro",), ("vers=4.1", "sec=sys"))
    assert kernel_options("noatime") == KernelOptions(("noatime",))
    assert kernel_options("") == KernelOptions()


@pytest.mark.parametrize("text", ["password=x", "addr=1.2.3.4", "a b", "-o ro -o rw", "Vers=3", "x=\\y"])
def test_options_that_other_members_say_or_that_are_none_are_refused(text):
    with pytest.raises(BadMount):
        kernel_options(text)


def test_places_and_sources_are_taken_apart():
    assert mount_path("/a/b/") == "a/b"
    assert nfs_source("filer:/exports/x") == ("filer", "/exports/x")
    assert share_source("//host/share/dir") == ("host", "share/dir")
    assert share_source("\\\\host\\share") == ("host", "share")
    assert share_source("https://a.file.core.windows.net/s") == ("a.file.core.windows.net", "s")


@pytest.mark.parametrize(
    ("read", "text"),
    [
        *((mount_path, text) for text in ("", "/", "a/../b", "..", "a//b", "a\0")),
        *((nfs_source, text) for text in ("/x", "host", "host:x", ":/x", "h:/a b")),
        *((share_source, text) for text in ("host/share", "//host", "http://h/s", "//h/a,b")),
    ],
)
def test_what_is_no_place_or_source_is_refused(read, text):
    with pytest.raises(BadMount):
        read(text)
