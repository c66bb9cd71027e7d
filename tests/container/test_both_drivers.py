"""Farm tests that are marked `both_drivers`, on Docker nodes: the same programs, the same answers."""

from tests.farm.sdk.test_start_tasks import *  # noqa: F403 - tests and their fixture, as they are
from tests.farm.sdk.test_unmodified_programs import (  # noqa: F401
    test_a_program_for_azure_batch_14_runs_unchanged,
    test_a_program_for_azure_batch_15_runs_unchanged,
)
