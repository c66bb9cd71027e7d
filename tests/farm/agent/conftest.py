"""A real agent on a real Redis; the API's four endpoints and a blob server are doubles on real sockets."""

import pytest
from agent_world import Api, World

from agent import trash


@pytest.fixture(scope="session")
def api():
    server = Api()
    yield server
    server.close()


@pytest.fixture
def world(api):
    """A node's root, Redis and agent; nothing of it may survive the test."""
    world = World(api)
    yield world
    world.close()
    assert world.survivors() == []
    trash.delete(world.folder, 0)
