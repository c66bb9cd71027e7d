"""The broker of task containers: the only process beside the workers that holds the Docker socket (DESIGN, Nodes)."""
