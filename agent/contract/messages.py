"""Messages between orchestrator and agent, msgpack-encoded maps and arrays.

Times inside messages are durations or ages in microseconds (`_us`): the only
clock that is stored is Redis TIME, and an agent's clock is never trusted.
`J`, `T`, `N` are the internal numbers of job, task and node; `A` the attempt.

Inbox (orchestrator -> agent), a map with `v` (contract version), `kind`, `seq`
(grows by one with each message to this boot of this node):

    run    jobs=[[J, job_id, job_json], ...]   every job named below, once
           tasks=[[J, T, A, task_json, retry_count, slots, ahead], ...]
           Each begins when that many of the node's slots are free, in this order. `ahead` 1: the engine knows that none
           are yet, takes the task for waiting, and wants to know when it has begun
           prepare=[J, ...]                    jobs among them that are not known to be prepared on this boot yet: their
                                               preparation task runs first, or beside; left out when there are none
    gang   jobs, prepare as with `run`         one instance of a multi-instance task begins
           task=[J, T, A, task_json], index (0: primary), hosts=[address of each instance's node, ...]
    go     task=[J, T, A]                      to the primary: all instances are coordinated, its command begins
    release job=[J, job_id, job_json]          the job ends: what still prepares is ended, its release task runs
    recall                                     what was given ahead and has not begun goes back (`unstarted`)
    kill   tasks=[[J, T, A, why], ...]         why: terminate | requeue | delete
    clean  dirs=[[J, job_id, T | None, task_id | None], ...]  delete task or job directories now
    keep   J, T, retention_us                  changed retentionTime, counted from the end of the task
    file   req, op (list | stat | get | delete), path, recursive, offset, length, reply
           path is relative to the node's root; answered over HTTP to `reply`
    user   req, op (add | update | delete), reply
           a user for remote login; what about is fetched from `reply` with a GET, since passwords have no
           business in Redis: name, and but for delete: admin, seconds (until expiry), password, key (either
           may be None). The answer goes to the same place
    drain  on, retained                        no meaning to running tasks. `retained`: say `bare` once no task's
                                               directory is left. Also sent after a `hold` that is behind: its number
                                               shows the node what it missed

Event list (agent -> engine), a map with `v` and `items`, a list of at most 500 arrays, up to 1 MiB in all:

    ["up", info]                        first of a boot. info: ip, version, pid, boot_age_us
    ["start", info_json]                start task progress (startTaskInfo without times, see below)
    ["prep", J, info_json]              progress of a job's preparation task here, as `start`
    ["release", J, info_json]           the same of its release task
    ["ready"]                           node takes tasks from now on
    ["end", J, T, A, age_us, exit, fail, stats]
           exit: exit code or None when the command never ran
           fail: None, or [phase, category, code, message, details_json]
                 phase: pre | run | upload | time ; category: UserError | ServerError
                 None with a non-zero exit is a plain FailureExitCode, worded by the engine
           stats: None when the command never ran
           stats: [wall_us, user_us, kernel_us, read_ops, write_ops, read_bytes, write_bytes, slots_us]; the last: how
                  long the attempt had its slots
    ["begun", [[J, T, A], ...]]         attempts given ahead that have slots now; left out of those whose end is told
    ["unstarted", [[J, T, A], ...], late]  given ahead, not begun, and not held any more: the answer to `recall`, or
                                        `late` 1: they waited longer than short tasks take
    ["coordinated", J, T, A, exit]      an instance's coordination command has exited with 0; None: there is none
    ["back", J, T, A, reason]           agent could not run it for reasons of its own: requeue,
                                        does not count as a retry
    ["hold", seq, [[J, T, A, w], ...]]  everything received up to message `seq` that is not ended (w 1: nor begun);
                                        sent after each reconnect and each gap in the numbers. Answered
                                        by `kill` for what is held and does not count
    ["bare"]                            no task's directory is left on the node; answers a drain with `retained`
    ["note", J, T, A, text]             a line for the story of the task
    ["container", J, T, A, info_json]   the wire containerInfo of an attempt in a container of its own
    ["bad", code, message]              node is unusable, with its error

`start` info: {"state": "running"|"completed", "exitCode", "retryCount", "result",
"failureInfo", "startAgeUs", "endAgeUs", "lastRetryAgeUs", "waitForSuccess"}; absent
members are left out.

Pulse (agent -> its channel), a map: r (running tasks), d (bytes used
under the node's root), s (totals since the boot or before, each optional: t and cpu in us, cores, mem in bytes now,
rb wb ro wo bytes and operations of disks, ni no bytes of the network).
"""

from typing import Any

import msgpack


def pack(message: dict[str, Any]) -> bytes:
    """Encode one message; surrogate escapes keep names that are not UTF-8."""
    return msgpack.packb(message, use_bin_type=False, unicode_errors="surrogateescape")


def unpack(data: bytes) -> dict[str, Any]:
    """Decode one message.

    Raises:
        ValueError: the bytes are not one msgpack value.
    """
    return msgpack.unpackb(data, raw=False, unicode_errors="surrogateescape", strict_map_key=False)
