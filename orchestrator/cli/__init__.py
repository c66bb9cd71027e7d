"""The `farm` command: people's way in. Talks to the farm over its REST API; only `farm up` starts processes."""
