"""Preemption and displacement on Docker nodes: the tests of process nodes, as they are."""

from tests.farm.sdk.test_giving_way import *  # noqa: F403 - tests and their fixture
