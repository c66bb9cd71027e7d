"""Draws docs/states.md from the tables of orchestrator/domain/transitions.py.

`python docs/make_state_diagrams.py > docs/states.md`; a test tells when it is out of date.
"""

from orchestrator.domain.transitions import GONE, TABLES, Table

HEAD = """# States

Drawn from the tables of `orchestrator/domain/transitions.py` (spec/behaviour.md, 1) by
`python docs/make_state_diagrams.py > docs/states.md`. Words at an arrow are events, which are past facts.
"""


def page() -> str:
    """The whole page, as text."""
    return HEAD + "".join(f"\n## {kind.capitalize()}\n\n{diagram(table)}" for kind, table in TABLES.items())


def diagram(table: Table) -> str:
    """One Mermaid diagram; events that make the same move share an arrow, those that move nothing are left out."""
    arrows: dict[tuple[str, str], list[str]] = {}
    for (state, event), after in table.items():
        if state != after:
            arrows.setdefault((state, after), []).append(event)
    lines = [f"  {state} --> {_end(after)}: {', '.join(events)}" for (state, after), events in arrows.items()]
    return "\n".join(["```mermaid", "stateDiagram-v2", *lines, "```", ""])


def _end(state: str) -> str:
    return "[*]" if state == GONE else state


if __name__ == "__main__":
    print(page(), end="")
