"""What a node's directories are when its agent starts again."""

import os

from agent.accounts import Account
from agent.directories import Directories

NOBODY = Account("agent", uid=None)


def test_an_agent_clears_its_directories_though_the_trash_of_earlier_boots_is_full(tmp_path):
    """In a container all agents of a node may have the same process id; this test's have it, too."""
    for boot in range(3):
        directories = Directories(str(tmp_path))
        directories.make()
        startup = directories.start_task(NOBODY)
        assert os.listdir(startup) == ["wd"]
        with open(f"{startup}/wd/boot", "w") as file:
            file.write(str(boot))
        directories._lock_file.close()

    assert len(os.listdir(directories.trash)) >= 3
