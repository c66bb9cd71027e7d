"""`python -m agent BOOTFILE`: run the agent of one boot of one node; `-` reads the boot from standard input.
See contract/boot.py.

Exit status: 0 stopped by a signal, 2 wrong usage or the root is in use, 3 superseded by a later boot,
4 the node's network is no use: no firewall to be had, or no way to the farm, 6 (DISK_FULL) no room for its directories.
"""

import asyncio
import errno
import logging
import os
import sys
from pathlib import Path

from agent import firewall, priority, reach, sentry
from agent.contract.boot import DISK_FULL, UP, Boot
from agent.crowding import Limit
from agent.directories import Directories, RootInUse
from agent.log import configure
from agent.marking import MarkingLoop
from agent.node import Node
from agent.settings import Settings


async def _run(boot: Boot, settings: Settings, directories: Directories) -> int:
    return await Node(boot, settings, directories).run()


def main(arguments: list[str]) -> int:
    """Read the boot file, once, and run."""
    if len(arguments) != 1:
        print("usage: python -m agent BOOTFILE", file=sys.stderr)
        return 2
    os.umask(0o022)  # tasks' users pass through the node's directories, whoever started the farm
    boot = Boot.receive(sys.stdin) if arguments == ["-"] else Boot.read_once(Path(arguments[0]))
    priority.answer_soon(boot.own_system, threads=True)
    settings = Settings.read(os.environ)
    try:
        firewall.set_up(boot)
        reach.check(boot)
    except (firewall.FirewallFailed, reach.Unreachable) as error:
        print(error, file=sys.stderr)
        return 4
    directories = Directories(boot.root)
    try:
        directories.make()
    except RootInUse as error:
        print(error, file=sys.stderr)
        return 2
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        print(f"the node's disk is full: {error}", file=sys.stderr)
        return DISK_FULL
    configure(directories.logs, boot.node_id, settings.log_bytes)
    logging.getLogger(__name__).info(
        "agent up", extra={"boot": boot.boot, "pool": boot.pool_id, "uid_base": boot.uid_base}
    )
    if arguments == ["-"]:
        print(UP, flush=True)
    if boot.own_system:
        sentry.post(Limit())
    marked = firewall.own(boot) if boot.network else ()
    with asyncio.Runner(loop_factory=lambda: MarkingLoop(marked)) as runner:
        status = runner.run(_run(boot, settings, directories))
    logging.shutdown()
    sys.stderr.flush()
    # a transfer thread may wait for a silent peer for half a minute; nothing of it is wanted any more
    os._exit(status)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
