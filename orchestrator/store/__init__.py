"""State in Redis: the only code that knows keys. `Store.open` gives access to one account."""

from orchestrator.store.base import Limits
from orchestrator.store.store import SchemaError, Store

__all__ = ["Limits", "SchemaError", "Store"]
