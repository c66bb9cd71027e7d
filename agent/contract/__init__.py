"""What orchestrator and agent both know: queue names, messages, variables. Imports nothing of ours."""

VERSION = 1
"""Version of every message below. The engine speaks this one and the one before."""
