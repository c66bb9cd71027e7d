"""farm pool autoscale: enable, disable, evaluate."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from orchestrator.cli import connect, durations, output
from orchestrator.cli.client import path_of
from orchestrator.cli.errors import UsageError
from orchestrator.cli.options import Json, example, group

app = group("Autoscale: pools whose size a formula says.")
Id = Annotated[str, typer.Argument(metavar="POOL", help="The pool's id.")]
Formula = Annotated[str | None, typer.Option("--formula", help="The formula itself.")]
File = Annotated[Path | None, typer.Option("--file", help="A file with the formula.")]


@app.command(epilog=example("farm pool autoscale enable mine --file sizes.txt --interval 5m"))
def enable(
    pool: Id,
    formula: Formula = None,
    file: File = None,
    interval: Annotated[str | None, typer.Option(help="Between evaluations: 5m, 1h; default 15m.")] = None,
    json: Json = False,
) -> None:
    """Let a formula size a pool, or change formula or interval of one that does."""
    text = _formula(formula, file)
    body = {"autoScaleFormula": text} if text is not None else {}
    if interval is not None:
        body["autoScaleEvaluationInterval"] = durations.iso(interval)
    if not body:
        raise UsageError("give --formula or --file, or --interval for a pool that sizes itself already")
    with connect.client() as farm:
        farm.post(path_of("pools", pool, "enableautoscale"), body)
        _say(farm.get(path_of("pools", pool)), json, f"pool {pool} sizes itself")


@app.command(epilog=example("farm pool autoscale disable mine"))
def disable(pool: Id, json: Json = False) -> None:
    """Stop a formula from sizing a pool; it stays as large as it is wanted now."""
    with connect.client() as farm:
        farm.post(path_of("pools", pool, "disableautoscale"))
        found = farm.get(path_of("pools", pool))
    _say(found, json, f"pool {pool} keeps {found['targetDedicatedNodes']} + {found['targetLowPriorityNodes']} nodes")


@app.command(epilog=example("farm pool autoscale evaluate mine --formula '$TargetDedicatedNodes = 3;'"))
def evaluate(pool: Id, formula: Formula = None, file: File = None, json: Json = False) -> None:
    """Say what a formula would come to now, and change nothing; the pool has to size itself already."""
    text = _formula(formula, file)
    with connect.client() as farm:
        if text is None:
            text = farm.get(path_of("pools", pool)).get("autoScaleFormula")
        if text is None:
            raise UsageError("give --formula or --file: the pool has no formula of its own")
        run = farm.post(path_of("pools", pool, "evaluateautoscale"), {"autoScaleFormula": text}).json()
    if json:
        output.as_json(run)
        return
    for part in run["results"].split(";"):
        output.out.print(Text(part))
    if "error" in run:
        details = " ".join(pair["value"] for pair in run["error"].get("values", []))
        output.say(f"{run['error']['code']}: {details}")


def _formula(text: str | None, file: Path | None) -> str | None:
    if text is not None and file is not None:
        raise UsageError("give either --formula or --file")
    try:
        return file.read_text() if file is not None else text
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} cannot be read: {error}") from None


def _say(pool: dict[str, Any], json: bool, words: str) -> None:
    if json:
        output.as_json(pool)
    else:
        output.say(words)
