"""Statistics of real tasks on Docker nodes: the tests of process nodes, as they are."""

from tests.farm.sdk.test_statistics import *  # noqa: F403 - tests and their fixture
