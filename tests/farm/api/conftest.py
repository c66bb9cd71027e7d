"""The fixtures `redis_url`, `api` (served_api.py) and `node` (served_node.py)."""

from served_api import api, redis_url
from served_node import node

__all__ = ["api", "node", "redis_url"]
