"""Job preparation and release tasks on Docker nodes, a reboot among them: the tests of process nodes, as they are."""

from tests.farm.sdk.test_prepared_jobs import *  # noqa: F403 - tests and their fixture
