import os

from agent.tail import last_words


def test_the_end_of_what_a_command_said_is_quoted(tmp_path):
    said = tmp_path / "stderr.txt"
    said.write_text("much\n" * 1000 + "E: no such package\n")

    assert last_words(str(said), longest=25) == "much\nE: no such package"


def test_bytes_that_are_no_text_are_quoted_with_replacements(tmp_path):
    said = tmp_path / "stderr.txt"
    said.write_bytes(b"caf\xe9 is full")

    assert last_words(str(said)) == "caf\N{REPLACEMENT CHARACTER} is full"


def test_a_task_cannot_make_the_agent_quote_another_file(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("s3cret")
    (tmp_path / "symbolic").symlink_to(secret)
    os.link(secret, tmp_path / "hard")
    os.mkfifo(tmp_path / "pipe")

    for name in ("symbolic", "hard", "pipe", "missing", "."):
        assert last_words(str(tmp_path / name)) == ""
