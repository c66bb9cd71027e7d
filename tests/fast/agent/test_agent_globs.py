"""Output file patterns, by the table of spec/behaviour.md, 16."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from agent import globs

SEGMENT = st.text("abc.-_[]*?! ü", min_size=1, max_size=6).filter(lambda text: text not in (".", ".."))
PATH = st.lists(SEGMENT, min_size=1, max_size=4).map("/".join)


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("*.txt", "a.txt", True),
        ("*.txt", "d/a.txt", False),
        ("**/*.txt", "a.txt", True),
        ("**/*.txt", "d/e/a.txt", True),
        ("**", "d/e/a.txt", True),
        ("d/**/f", "d/f", True),
        ("d/**/f", "d/x/y/f", True),
        ("d/**/f", "e/f", False),
        ("?.txt", "a.txt", True),
        ("?.txt", "ab.txt", False),
        ("[abc].txt", "b.txt", True),
        ("[a-c]1", "c1", True),
        ("[a-c]1", "d1", False),
        ("[!abc]", "d", True),
        ("[!abc]", "a", False),
        ("abc[*]", "abc*", True),
        ("abc[*]", "abcd", False),
        ("[]]", "]", True),
        ("[", "[", True),
        ("*", ".hidden", False),
        (".*", ".hidden", True),
        ("**/*", ".git/config", False),
        ("?hidden", ".hidden", False),
        ("[.]hidden", ".hidden", False),
        ("*", "a\nb", True),
    ],
)
def test_a_pattern_matches_as_the_service_says(pattern, path, expected):
    assert globs.matches(pattern, path) is expected


@given(PATH)
def test_an_escaped_path_matches_itself_and_only_itself(path):
    escaped = "/".join(globs.escape(part) for part in path.split("/"))

    assert globs.matches(escaped, path)
    assert not globs.matches(escaped, path + "x")


@given(PATH)
def test_double_star_finds_every_path_without_hidden_segments(path):
    hidden = any(part.startswith(".") for part in path.split("/"))

    assert globs.matches("**/*", path) is not hidden


@given(st.text(max_size=12), PATH)
def test_no_pattern_breaks_the_matcher(pattern, path):
    assert globs.matches(pattern, path) in (True, False)


@given(st.lists(PATH, max_size=8), st.sampled_from(["*", "**", "**/*", "**/a*", "a/**/b", "[ab]/*", "**/**/c", "*/*"]))
def test_walking_finds_exactly_what_matches_and_each_once(tmp_path_factory, paths, pattern):
    base = tmp_path_factory.mktemp("tree")
    made = set()
    for path in paths:
        target = base / path
        assume(not any(str(target).startswith(f"{base}/{other}/") or f"{base}/{other}".startswith(f"{target}/")
                       for other in made))  # fmt: skip
        target.parent.mkdir(parents=True, exist_ok=True)
        assume(not target.is_dir())
        target.touch()
        made.add(path)

    found = list(globs.find(str(base), pattern))

    assert sorted(found) == sorted(path for path in made if globs.matches(pattern, path))
    assert len(found) == len(set(found))


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("a/b.txt", ("a/b.txt", "")),
        ("a/*.txt", ("a", "*.txt")),
        ("/x/**/y", ("/x", "**/y")),
        ("/*", ("/", "*")),
        ("../std*.txt", ("..", "std*.txt")),
        ("*", ("", "*")),
    ],
)
def test_the_base_is_what_comes_before_the_first_wildcard_segment(pattern, expected):
    assert globs.split(pattern) == expected


def test_variables_are_expanded_first_and_unknown_ones_stay():
    environment = {"A": "x", "AZ_BATCH_TASK_ID": "t"}

    assert globs.expand("$A/${AZ_BATCH_TASK_ID}.txt$B", environment) == "x/t.txt$B"


def test_links_to_directories_are_not_entered(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "f").touch()
    (tmp_path / "link").symlink_to(tmp_path / "real")

    assert list(globs.find(str(tmp_path), "**/*")) == ["real/f"]
