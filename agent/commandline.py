"""A task's command line as words: POSIX splitting, no shell (spec/behaviour.md, 3). Pure."""

import re
import shlex

_QUOTING = re.compile(r"['\"\\]")
_WORD = re.compile(r"[^ \t\r\n]+")


def words(text: str) -> list[str]:
    """Split as a POSIX shell would, without expanding anything.

    Raises:
        ValueError: no word at all, an unclosed quotation, or a null character.
    """
    if "\0" in text:
        raise ValueError("the command line contains a null character")
    # shlex costs ten times as much, and most command lines quote nothing
    split = shlex.split(text) if _QUOTING.search(text) else _WORD.findall(text)
    if not split or not split[0]:
        raise ValueError("the command line names no program")
    return split
