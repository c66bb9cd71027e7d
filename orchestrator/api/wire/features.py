"""docs/features.md, written from the one table: what of the service works here, and how the rest answers.

`python -m orchestrator.api.wire.features` writes it; `--check` says by its exit code whether it is up to date.
"""

import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from orchestrator.api.wire import evidence, table
from orchestrator.api.wire.rules import ABLE_DRIVER
from orchestrator.api.wire.table import Call, Field, Model

TARGET = Path(__file__).parents[3] / "docs" / "features.md"
HEAD = f"""# What works

Generated from the table in `orchestrator/api/wire/` (`calls.yaml`, `fields/`) and from `docs/features.yaml` by
`python -m orchestrator.api.wire.features`; the same table makes the refusals. Do not edit.

A field or call
- **works**, on every driver, or on those with a capability (`{ABLE_DRIVER}` has all of them);
- has **no effect**, where the service promises none that a program could see;
- is **refused**, where it cannot exist on Linux containers: 400 `InvalidPropertyValue`, saying why;
- is **not built yet**: 400 `UnsupportedProperty` naming the field, for calls 400 `UnsupportedRequestVersion`.
  In answers such a field is left out.

`5.0..19.0` are the api-versions that have it, by the codes of the service's minor versions (2017-05-01.5.0 to
2024-02-01.19.0; `25-06` is 2025-06-01). `*` marks what a request must have. Older names of a field are
translated, for requests and answers of the versions that had them.
"""
TESTS = """\
From `docs/features.yaml`. Paths are below `tests/`: on process nodes or without any, after `Docker` on Docker nodes.
A feature works, is refused with the status and code that stand there, or differs from what the service's articles say.
"""


def document() -> str:
    """The whole of docs/features.md."""
    features = ["## Features, and where their tests are", "", TESTS, *evidence.lines()]
    return "\n".join([HEAD, *features, "## Calls", "", *_calls(), "", "## Fields", "", *_fields()]).rstrip() + "\n"


def _calls() -> Iterator[str]:
    yield from _header("call", "api-versions", "here")
    for call in table.calls():
        yield f"|`{call.name}`|{call.span}|{_call(call)}|"


def _call(call: Call) -> str:
    if call.later:
        return f"not built yet: {call.later}"
    if call.needs:
        return f"works on drivers with `{call.needs}`"
    return f"refused: {call.refuse}" if call.refuse else "works"


def _fields() -> Iterator[str]:
    singles = [model for model in table.models().values() if not model.group]
    grouped = [model for model in table.models().values() if model.group]
    for title, models in groupby(grouped, key=lambda model: model.group):
        yield from _group(title, list(models))
    for model in sorted(singles, key=lambda model: model.name):
        yield from _single(model)


def _group(title: str, models: list[Model]) -> Iterator[str]:
    """Models that share fields, side by side: a cell says which api-versions of the field that model has."""
    yield from (f"### {title}", "")
    yield from _header("field", *(f"`{model.name}`" for model in models), "here")
    for name in dict.fromkeys(name for model in models for name in model.fields):
        cells = [_cell(model.fields.get(name)) for model in models]
        yield f"|`{name}`|{'|'.join(cells)}|{_verdicts(name, models)}|"
    yield ""
    for model in models:
        if model.later:
            yield from (f"All of `{model.name}` is not built yet: {model.later}.", "")


def _verdicts(name: str, models: list[Model]) -> str:
    """One verdict when the models agree on it, else each with the models that it holds for."""
    by_verdict: dict[str, list[str]] = {}
    for model in models:
        if name in model.fields and not model.later:
            by_verdict.setdefault(_verdict(model.fields[name]), []).append(model.name)
    if len(by_verdict) <= 1:
        return next(iter(by_verdict), "not built yet")
    return "; ".join(f"{verdict} ({', '.join(names)})" for verdict, names in by_verdict.items())


def _single(model: Model) -> Iterator[str]:
    yield from (f"### {model.name}" + (f" ({model.span})" if str(model.span) else ""), "")
    if model.later or model.refuse:
        yield from (f"Not built yet: {model.later}." if model.later else f"Refused: {model.refuse}.", "")
        yield from (", ".join(f"`{name}`" for name in model.fields), "")
        return
    yield from _header("field", "api-versions", "here")
    for field in model.fields.values():
        yield f"|`{field.name}`|{_cell(field)}|{_verdict(field)}|"
    yield ""


def _cell(field: Field | None) -> str:
    if field is None:
        return ""
    spans = " and ".join(str(span) for span in field.spans if str(span)) or "all"
    return spans + ("*" if field.required else "")


def _verdict(field: Field) -> str:
    """What becomes of one field, and which values are excepted."""
    model = table.models().get(field.type)
    later = field.later or (model.later if model else "")
    refuse = field.refuse or (model.refuse if model else "")
    if field.readonly:
        return "filled in by the service"
    if field.later_for:
        return f"works; not built yet: {', '.join(field.later_for)} ({later})"
    if later:
        return f"not built yet: {later}{_except(field)}"
    if refuse:
        return f"refused: {refuse}{_except(field)}"
    if field.needs:
        return f"works on drivers with `{field.needs}`{_except(field)}"
    if field.inert:
        return f"no effect: {field.inert}"
    return "works; older name" if field.old else "works"


def _except(field: Field) -> str:
    if not field.allows:
        return ""
    shown = ", ".join("empty" if value in ([], {}) else str(value).lower() for value in field.allows)
    return f"; works: {shown}" if any(value not in ([], {}) for value in field.allows) else f"; {shown} is taken"


def _header(*columns: str) -> tuple[str, str]:
    return f"|{'|'.join(columns)}|", "|" + "-|" * len(columns)


def main(arguments: list[str]) -> int:
    text = document()
    if "--check" in arguments:
        return 0 if TARGET.is_file() and TARGET.read_text("utf-8") == text else 1
    TARGET.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
