"""Options and texts that several commands share."""

from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def example(*lines: str) -> str:
    """The epilog of a command: lines that can be pasted."""
    return "Example:  " + "   |   ".join(lines)


def group(text: str) -> typer.Typer:
    """A group of commands about one noun."""
    return typer.Typer(no_args_is_help=True, help=text, rich_markup_mode=None)


def confirm(question: str, yes: bool) -> None:
    """Ask before something is lost; ends the command when the answer is no."""
    if not yes:
        typer.confirm(question, abort=True, err=True)
