"""Replacement strings: as GNU parallel has them, and safe for any input."""

import os
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.cli.template import command_line, expand, part

texts = st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]), min_size=1, max_size=40)
nasty = st.text("a '\"\\$`;&|<>*?[]{}()#!~\n\t-=é", min_size=1, max_size=20)


def shell(script: str, folder: str = "/") -> bytes:
    done = subprocess.run(["/bin/sh", "-c", script], capture_output=True, cwd=folder, timeout=20, check=True)
    return done.stdout


@settings(max_examples=60, deadline=None)
@given(value=texts | nasty)
def test_the_shell_sees_every_input_as_one_word_that_means_itself(value):
    assert shell(expand("printf '%s' {}", value, 1)) == value.encode()


@settings(max_examples=30, deadline=None)
@given(values=st.lists(texts | nasty, min_size=1, max_size=3))
def test_replacements_next_to_each_other_and_to_text_stay_one_word(values):
    value = "".join(values)

    seen = shell(expand("printf '<%s>' pre{}post {#}-{} {}", value, 7)).decode()

    assert seen == f"<pre{value}post><7-{value}><{value}>"


@settings(max_examples=40, deadline=None)
@given(value=texts | nasty)
def test_a_command_line_splits_into_the_shell_and_the_unchanged_script(value):
    script = f"printf '%s' {value}"

    words = os.fsencode(shell(f"printf '%s\\0' {command_line(script)}")).split(b"\0")

    assert words == [b"/bin/sh", b"-c", script.encode(), b""]


@settings(max_examples=40, deadline=None)
@given(value=texts.filter(lambda text: not text.startswith("-")) | nasty.filter(lambda text: not text.startswith("-")))
def test_folder_and_last_part_are_those_of_dirname_and_the_shell(value):
    folder = shell(expand("dirname -- {} && echo .", value, 1)).decode()
    last = shell(expand("x={}; printf '%s' \"${x##*/}\"", value, 1)).decode()

    assert part("//", value) == folder.removesuffix("\n.\n")
    assert part("/", value) == last


@pytest.mark.parametrize(
    ("template", "value", "expected"),
    [
        ("convert {} {.}.png", "a/b.svg", "convert a/b.svg a/b.png"),
        ("gzip", "x.log", "gzip x.log"),
        ("cat {/} > {/.}.out", "a/b.tar.gz", "cat b.tar.gz > b.tar.out"),
        ("ls {//}", "a/b/c", "ls a/b"),
        ("ls {//}", "c", "ls ."),
        ("echo {.}", "a.d/b", "echo a.d/b"),
        ("echo {.}", "ends.", "echo ends."),
        ("echo {.}", ".hidden", "echo ''"),
        ("seed {#}", "x", "seed 3"),
        ("echo ${HOME} {}", "x", "echo ${HOME} x"),
        ("awk '{print}' {}", "x y", "awk '{print}' 'x y'"),
    ],
)
def test_replacement_strings_mean_what_they_mean_in_gnu_parallel(template, value, expected):
    assert expand(template, value, 3) == expected


def test_an_input_that_looks_like_a_replacement_string_is_not_replaced_again():
    assert expand("echo {} {#}", "{#}{.}", 5) == "echo '{#}{.}' 5"
