"""Operations on nodes, on Docker nodes: the same programs, the same answers."""

from tests.farm.sdk.test_operations_on_nodes import (  # noqa: F401
    logs,
    seen,
    test_a_node_out_of_scheduling_is_offline_and_refuses_to_be_taken_out_twice,
    test_a_reboot_waits_if_asked_keeps_files_and_runs_the_start_task_again,
    test_a_reimaged_node_has_its_id_and_none_of_its_files,
    test_azure_batch_15_deallocates_starts_reimages_and_removes_a_node,
    test_chosen_nodes_leave_together_and_the_targets_shrink_with_them,
    test_retained_data_keeps_a_reboot_waiting_until_no_tasks_files_are_left,
    test_task_completion_leaves_a_node_running_until_its_task_has_ended,
    test_the_logs_of_a_node_are_really_in_the_container,
)
