"""The one table: every field of the service's models and what the farm does with it (`fields/*.yaml`).

A file is a list of entries. `model: NAME` is one model; `group: TITLE` with `columns` is several models
that share fields, a field's `in` naming the columns that have it. Version ranges are `5.0..19.0` with
the codes of spec/api.md, either end open. Of a field:

    type     scalar, enum or model name; `list X`; a trailing `!`: required (in columns: `add!`)
    ver      api-versions that have it; a column's own range follows it as `patch@20.0..`
    later    what has yet to be built for it: refused with 400 UnsupportedProperty
    later_in the same for single columns; later_for: only these values are refused
    refuse   why it cannot exist here: refused with 400 InvalidPropertyValue
    needs    driver capability without which it is refused with 400 InvalidPropertyValue
    allows   values that pass in spite of later, refuse and needs; empty ones are dropped unless `needs` is all there is
    inert    why it has no effect: none is promised
    old      name of older versions, which a lens translates
    readonly the service fills it in
    secret   `url`: shown without its signature; `never`: not shown at all

`later` and `refuse` of a model hold for every field of that type.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from orchestrator.api.lenses.versions import Version

FOLDER = Path(__file__).parent / "fields"
CALLS = Path(__file__).parent / "calls.yaml"


@dataclass(frozen=True)
class Span:
    """A range of api-versions by code, both ends included; empty ends are open."""

    since: str = ""
    until: str = ""

    def holds(self, version: Version) -> bool:
        return (not self.since or version >= self.since) and (not self.until or version <= self.until)

    def __str__(self) -> str:
        return f"{self.since}..{self.until}" if self.since or self.until else ""


@dataclass(frozen=True)
class Field:
    """One field of one model."""

    name: str
    type: str
    many: bool = False
    required: bool = False
    spans: tuple[Span, ...] = ()  # all have to hold
    later: str = ""
    later_for: tuple[str, ...] = ()
    refuse: str = ""
    needs: str = ""
    allows: tuple[Any, ...] = ()
    inert: str = ""
    old: bool = False
    readonly: bool = False
    secret: str = ""

    def known_to(self, version: Version) -> bool:
        return all(span.holds(version) for span in self.spans)

    @property
    def dropped(self) -> bool:
        """Newer api-versions no longer have it."""
        return any(span.until for span in self.spans)


@dataclass(frozen=True)
class Model:
    """One model of the service, named as the 14.x SDK names it."""

    name: str
    group: str  # title under which the documentation lists it
    fields: dict[str, Field]
    span: Span = Span()
    later: str = ""
    refuse: str = ""


@dataclass(frozen=True)
class Call:
    """One call of the service: `GET /pools/{poolId}`."""

    name: str
    group: str
    span: Span = Span()
    later: str = ""
    refuse: str = ""
    needs: str = ""


_CALL = ("later", "refuse", "needs")


@cache
def calls() -> tuple[Call, ...]:
    """Every call of the service, in the order of spec/api.md."""
    return tuple(
        Call(name, entry["calls"], _span(row.get("ver", "")), **{key: row.get(key, "") for key in _CALL})
        for entry in _read(CALLS)
        for name, row in entry["list"].items()
    )


def models() -> dict[str, Model]:
    """Every model by name, read once."""
    return _models()


def fields_of(name: str, version: Version) -> dict[str, Field]:
    """The fields of a model that an api-version knows, in the order of the table."""
    return {field.name: field for field in models()[name].fields.values() if field.known_to(version)}


def is_model(type_name: str) -> bool:
    return type_name in models()


def _read(path: Path) -> list[dict[str, Any]]:
    """The entries of one file; the loader in C, where PyYAML has it, saves a tenth of a second at each start."""
    entries: list[dict[str, Any]] = yaml.load(
        path.read_text("utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    )
    return entries


@cache
def _models() -> dict[str, Model]:
    found: dict[str, Model] = {}
    for path in sorted(FOLDER.glob("*.yaml")):
        for entry in _read(path):
            for model in _group(entry) if "group" in entry else [_single(entry)]:
                if model.name in found:
                    raise ValueError(f"{path.name}: {model.name} appears twice")
                found[model.name] = model
    return found


def _single(entry: dict[str, Any]) -> Model:
    later, refuse = entry.get("later", ""), entry.get("refuse", "")
    fields = {name: _field(name, row, column="") for name, row in entry["fields"].items()}
    return Model(entry["model"], "", fields, _span(entry.get("ver", "")), later, refuse)


def _group(entry: dict[str, Any]) -> Iterator[Model]:
    for column, name in entry["columns"].items():
        fields: dict[str, Field] = {}
        for field, row in entry["fields"].items():
            cells = {cell.split("@")[0].rstrip("!"): cell for cell in row["in"].split()}
            if column in cells:
                fields[field] = _field(field, row, column, cells[column])
        later = entry.get("later", {}).get(name, "")
        yield Model(name, entry["group"], fields, _span(entry.get("ver", "")), later)


def _field(name: str, row: dict[str, Any], column: str, cell: str = "") -> Field:
    cell, _, span = cell.partition("@")
    kind = row["type"]
    return Field(
        name=name,
        type=kind.rstrip("!").removeprefix("list "),
        many=kind.startswith("list "),
        required=kind.endswith("!") or cell.endswith("!"),
        spans=tuple(_span(text) for text in (row.get("ver", ""), span) if text),
        later=row.get("later_in", {}).get(column, "") or row.get("later", ""),
        later_for=tuple(row.get("later_for", ())),
        refuse=row.get("refuse", ""),
        needs=row.get("needs", ""),
        allows=tuple(row.get("allows", ())),
        inert=row.get("inert", ""),
        old=row.get("old", False),
        readonly=row.get("readonly", False),
        secret=row.get("secret", ""),
    )


def _span(text: str) -> Span:
    since, _, until = str(text).partition("..")
    return Span(since, until)
