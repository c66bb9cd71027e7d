"""The `farm` command: all nouns put together, every error turned into one line and an exit code."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from orchestrator.cli import output
from orchestrator.cli.commands import (
    certificate,
    credentials,
    doctor,
    job,
    key,
    node,
    package,
    pool,
    quota,
    run,
    schedule,
    status,
    storage,
    task,
    up,
)
from orchestrator.cli.errors import CliError, Exit

_HELP = """Node Farm: a self-hosted Azure Batch.

Commands find the farm through FARM_ENDPOINT, FARM_ACCOUNT and FARM_KEY, else
through credentials.json in the data folder (FARM_DATA_DIR or --data-dir).

Exit codes: 0 done; 1 failed; 2 the command line makes no sense; 3 no farm
answers; 4 not found; 5 refused by the farm; 6 not in time; 130 interrupted.
farm run: the number of failed tasks, at most 101.
"""

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="\b\n" + _HELP.replace("\n\n", "\n\n\b\n"),
    epilog="Example:  farm up --detach   |   farm run --nodes 2 'gzip -k {}' *.log   |   farm status",
)


@app.callback()
def _common(
    data_dir: Annotated[
        Path | None, typer.Option(help="The farm's folder, in place of the environment's farm.")
    ] = None,
) -> None:
    if data_dir is not None:
        os.environ["FARM_DATA_DIR"] = str(data_dir.expanduser().absolute())
        for name in ("FARM_ENDPOINT", "FARM_ACCOUNT", "FARM_KEY"):
            os.environ.pop(name, None)


for _module in (up, status, run, doctor, credentials):
    _module.register(app)
for _noun in (pool, node, job, schedule, task, package, certificate, storage, key, quota):
    app.add_typer(_noun.app, name=_noun.__name__.rpartition(".")[2])


def main() -> None:
    """Entry point of `farm`."""
    try:
        app()
    except CliError as error:
        output.err.print(Text(f"farm: {error}"))
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(Exit.INTERRUPTED)
    except BrokenPipeError:
        # The reader has seen enough (farm logs | head). Python would complain once more when it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(Exit.OK)
