"""The fixtures `redis_url` and `api`; see served_api.py."""

from served_api import api, redis_url

__all__ = ["api", "redis_url"]
