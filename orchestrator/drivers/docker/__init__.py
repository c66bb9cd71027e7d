"""The Docker driver: each node is a container with the agent brought in on a read-only volume.

What is known about a node lies in Docker, in names and labels (`names.py`), so
any worker can end or restart what another one began, and a farm that lost its
data can still be cleaned up after.
"""

from orchestrator.drivers.docker.driver import DockerDriver
from orchestrator.drivers.docker.names import Names
from orchestrator.drivers.docker.options import Options

__all__ = ["DockerDriver", "Names", "Options"]
