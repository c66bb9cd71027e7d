"""Certificates: ids, list and records agree, and their users are the pools and nodes that refer to them."""

import json
from collections import defaultdict
from collections.abc import Iterator

from orchestrator.store.invariants.reading import Account


def problems(state: Account) -> Iterator[str]:
    ids = {thumbprint: int(number) for thumbprint, number in state.get("certificate_ids").items()}
    if sorted(ids.values()) != state.numbers("certificates"):
        yield f"certificate_ids has numbers {sorted(ids.values())}, the list {state.numbers('certificates')}"
    users = _users(state)
    for thumbprint in users.keys() - ids.keys():
        yield f"{sorted(users[thumbprint])} use the certificate {thumbprint}, which is not there"
    for thumbprint, number in ids.items():
        if state.get("certificate", certificate=number).get("thumbprint") != thumbprint:
            yield f"certificate {number} is not the one of {thumbprint}"
        noted = set(state.get("certificate_users", certificate=number))
        if noted != users[thumbprint]:
            yield f"certificate {number} is noted as used by {sorted(noted)}, but {sorted(users[thumbprint])} use it"


def _users(state: Account) -> defaultdict[str, set[str]]:
    """By thumbprint: the pools whose body names it, the nodes that have it since their last boot."""
    users: defaultdict[str, set[str]] = defaultdict(set)
    for pool in state.numbers("pools"):
        record = state.get("pool", pool=pool)
        for reference in json.loads(record["body"]).get("certificateReferences") or ():
            users[reference["thumbprint"]].add(f"p{pool}")
        for node in state.get("pool_nodes", pool=pool):
            for reference in json.loads(state.get("node", node=node).get("certificates") or "[]"):
                users[reference["thumbprint"]].add(f"n{node}")
    return users
