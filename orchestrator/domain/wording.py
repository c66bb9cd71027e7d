"""How sentences name and count things."""

NAMED = 3  # how many things a sentence names before it counts the rest


def named(names: list[str], plural: str, singular: str) -> str:
    if len(names) == 1:
        return f"{singular} {names[0]}"
    shown, rest = names[:NAMED], len(names) - NAMED
    if rest > 0:
        return f"{plural} {', '.join(shown)} and {rest} more"
    return f"{plural} {', '.join(shown[:-1])} and {shown[-1]}"


def count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def come(number: int) -> str:
    return "comes" if number == 1 else "come"


def age(us: int) -> str:
    seconds = max(0, us) // 1_000_000
    if seconds < 120:
        return f"{seconds} s"
    return f"{seconds // 60} min" if seconds < 7200 else f"{seconds // 3600} h"


def no_stop(text: str) -> str:
    return text.strip().rstrip(".")


def last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return no_stop(lines[-1][-200:]) if lines else ""
