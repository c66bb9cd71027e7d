"""Node Farm's node agent: runs on every compute node, knows the contract and nothing else of ours."""

__version__ = "0.1.0"
