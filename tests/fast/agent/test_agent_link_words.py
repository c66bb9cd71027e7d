"""What the link says to Redis, and how it reads its settings."""

from urllib.parse import urlsplit

import hiredis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.link import aged
from agent.resp import _database, pack
from agent.settings import Settings


@given(st.lists(st.one_of(st.binary(), st.text(st.characters(exclude_categories=["Cs"])), st.integers()), min_size=1))
def test_a_packed_command_is_read_back_as_its_words(words):
    reader = hiredis.Reader()
    reader.feed(pack(*words))

    assert reader.gets() == [word if isinstance(word, bytes) else str(word).encode() for word in words]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://h:1", 0),
        ("redis://h:1/", 0),
        ("redis://u:p@h:1/3", 3),
        ("redis://h/2?db=5", 5),
        ("unix:///tmp/s", 0),
        ("unix://u:p@/tmp/s?db=4", 4),
    ],
)
def test_the_database_is_where_the_url_says(url, expected):
    assert _database(urlsplit(url)) == expected


def test_only_ends_have_an_age_and_it_is_never_negative():
    assert aged(["end", 1, 2, 3, 0, 0, None, None], 1.5)[4] == 1_500_000
    assert aged(["end", 1, 2, 3, 0, 0, None, None], -1.0)[4] == 0
    assert aged(["back", 1, 2, 3, "x"], 1.5) == ["back", 1, 2, 3, "x"]


def test_settings_come_from_the_environment_with_the_type_of_their_default():
    settings = Settings.read({"NODEFARM_AGENT_BLOCK_S": "7", "NODEFARM_AGENT_REFUSED_S": "1.5", "OTHER": "x"})

    assert (settings.block_s, settings.refused_s, settings.shutdown_s) == (7, 1.5, Settings().shutdown_s)
    with pytest.raises(ValueError):
        Settings.read({"NODEFARM_AGENT_BLOCK_S": "soon"})
