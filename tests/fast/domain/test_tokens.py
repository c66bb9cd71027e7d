"""Tokens of nodes and tasks open what they were made for, and nothing like it."""

import pytest

from orchestrator.domain.tokens import node_token, read_node_token, read_task_token, task_token

SECRET = b"s" * 32


def test_a_token_tells_whose_it_is():
    assert read_task_token(SECRET, "farm", task_token(SECRET, "farm", 7, 8, 9)) == (7, 8, 9)
    assert read_node_token(SECRET, "farm", node_token(SECRET, "farm", 7, 8)) == (7, 8)


def test_a_token_of_a_node_is_none_of_a_task_nor_of_another_farm_or_account():
    token = task_token(SECRET, "farm", 7, 8, 9)
    assert read_node_token(SECRET, "farm", token) is None
    assert read_task_token(SECRET, "farm", node_token(SECRET, "farm", 7, 8)) is None
    assert read_task_token(b"t" * 32, "farm", token) is None
    assert read_task_token(SECRET, "other", token) is None


@pytest.mark.parametrize(
    "text",
    ["", "t", "t1", "t1.2.3", "t1.2.3.00", "t1.2.3.4.00", "t-1.2.3.00", "t1.x.3.00", "t1.2.3.\u00e9", "t\u0661.2.3.0"],
)
def test_what_is_no_token_is_none_and_never_an_error(text):
    assert read_task_token(SECRET, "farm", text) is None


def test_changing_a_number_makes_it_invalid():
    numbers, _, mac = task_token(SECRET, "farm", 7, 8, 9).rpartition(".")
    assert numbers == "t7.8.9"
    assert read_task_token(SECRET, "farm", f"t7.8.10.{mac}") is None
    assert read_task_token(SECRET, "farm", f"t78.9.{mac}") is None
    assert read_task_token(SECRET, "farm", f"t07.8.9.{mac}") is None
