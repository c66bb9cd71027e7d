"""Every Redis key of an account: name, type, owner, lifetime. No other module spells a key.

Numbers in names: `job` J, `task` T, `node` N, `pool` P, `queue` Q, `schedule` S,
`slots` s, `prio` the job priority, `container` the number of a container of blobs, `certificate` C.
A *queue* belongs to a pool id: it outlives the pool and collects the ready tasks of all jobs that name that id.

The Lua scripts get the same names as functions of a table `K`, generated here,
so that a key is spelled once for both languages.
"""

import re
from dataclasses import dataclass

SCHEMA = 1
"""Version of what is stored; newer data is refused, older is migrated by numbered steps."""


@dataclass(frozen=True)
class Key:
    template: str
    kind: str  # Redis type
    holds: str
    lifetime: str


TABLE: dict[str, Key] = {
    "meta": Key("meta", "hash", "schema, redis_version, run_id", "account"),
    "quotas": Key("quotas", "hash", "quotas that an owner has set, by name; the others are the settings'", "account"),
    "account_keys": Key("account_keys", "hash", "primary and secondary, sealed", "account"),
    "seq": Key(
        "seq", "hash", "last number given to pool, job, node, queue, schedule, package, certificate, ...", "account"
    ),
    "bell": Key("bell", "zset", "whom the engine should look at", "until popped"),
    "due": Key("due", "zset", "`kind:number` by time; firing re-checks state", "until fired"),
    "bad_reports": Key("bad_reports", "list", "reports that could not be read, newest 100", "account"),
    "work": Key(
        "work", "hash", "`kind:number` -> until when queued or running; `:by` its run; `:again`", "until the work ends"
    ),
    "pool_ids": Key("pool_ids", "hash", "lower-case id -> P", "pool"),
    "pools": Key("pools", "zset", "P by number", "pool"),
    "pool": Key("pool:{pool}", "hash", "facts and body", "pool"),
    "pool_nodes": Key("pool:{pool}:nodes", "zset", "N by number", "pool"),
    "pool_samples": Key(
        "pool:{pool}:samples", "list", "packed {time, values}, oldest first, bounded", "autoscale of the pool"
    ),
    "pool_stats": Key(
        "pool:{pool}:stats", "hash", "time of its nodes (us), sums and peaks of what was measured", "pool"
    ),
    "usage_intervals": Key("usage_intervals", "zset", "beginnings of usage intervals, us", "half a year"),
    "usage": Key(
        "usage:{interval}",
        "hash",
        "`P|1 or 0, received, sent|vmSize|pool id` -> us of dedicated and other nodes, bytes; `length` us",
        "half a year",
    ),
    "lifetime_jobs": Key("lifetime_jobs", "hash", "what the tasks of deleted jobs used", "account"),
    "lifetime_pools": Key("lifetime_pools", "hash", "what `pool_stats` was of deleted pools", "account"),
    "pool_node_ids": Key("pool:{pool}:node_ids", "hash", "lower-case node id -> N", "pool"),
    "node": Key("node:{node}", "hash", "facts", "node"),
    "node_tasks": Key(
        "node:{node}:tasks",
        "hash",
        "`J.T.attempt` -> `slots:seq`, `a` behind it while it waits, `g` and which instance: what the node holds",
        "node",
    ),
    "node_recent": Key(
        "node:{node}:recent", "list", "`J.T` of the last 10 that ended, `J.T.index` of instances, newest first", "node"
    ),
    "node_names": Key("node_names", "hash", "N -> `node id|pool id`, also of nodes that are gone", "node; oldest job"),
    "gone_nodes": Key(
        "gone_nodes", "list", "`N:J` of nodes that are gone, and the last job made before", "account: oldest job"
    ),
    "ports": Key(
        "ports", "hash", "`protocol:port` -> N that has it; `turn:protocol:first` where to look next", "node; account"
    ),
    "host": Key("host", "hash", "networks, addresses and images of the host, and when they were seen", "account"),
    "housing": Key(
        "housing",
        "hash",
        "cores and memory of nodes, of low_ priority ones, the limit_ and the host_",
        "account",
    ),
    "housing_waits": Key(
        "housing_waits",
        "hash",
        "P that waits for room -> `cores:memory` of a dedicated node it wants, else empty",
        "until the pool waits no more",
    ),
    "inbox": Key("inbox:{node}:{boot}", "list", "messages to the agent", "boot of the node"),
    "events": Key("events:{node}:{boot}", "list", "messages of the agent", "boot of the node"),
    "queue_ids": Key("queue_ids", "hash", "lower-case pool id -> Q", "pool; jobs that name it"),
    "queue": Key("queue:{queue}", "hash", "pool id, live pool, jobs, turn, claim, whose tasks wait", "pool; jobs"),
    "queue_levels": Key("queue:{queue}:levels", "zset", "`prio:slots` of non-empty classes, by -prio", "queue"),
    "queue_class": Key("queue:{queue}:class:{prio}:{slots}", "zset", "offering jobs J by turn", "queue"),
    "queue_open": Key("queue:{queue}:open", "zset", "nodes that may be given tasks, by free slots", "queue"),
    "queue_ahead": Key("queue:{queue}:ahead", "zset", "nodes where attempts wait, by their slots", "queue"),
    "queue_picky": Key("queue:{queue}:picky", "set", "jobs J that may not use every node", "queue"),
    "queue_yielding": Key("queue:{queue}:yielding", "set", "jobs J whose tasks give way to higher priorities", "queue"),
    "job_ids": Key("job_ids", "hash", "lower-case id -> J", "job"),
    "jobs": Key("jobs", "zset", "J by number", "job"),
    "job": Key("job:{job}", "hash", "facts and body", "job"),
    "schedule_ids": Key("schedule_ids", "hash", "lower-case id -> S", "schedule"),
    "schedules": Key("schedules", "zset", "S by number", "schedule"),
    "schedule": Key("schedule:{schedule}", "hash", "facts and body", "schedule"),
    "schedule_jobs": Key("schedule:{schedule}:jobs", "zset", "J by number of the jobs it made", "schedule"),
    "job_counts": Key(
        "job:{job}:counts", "hash", "tasks and slots by state; `usage`: packed, what its tasks used", "job"
    ),
    "task_ids": Key("job:{job}:ids", "hash", "lower-case task id -> T", "job"),
    "task_specs": Key("job:{job}:spec", "hash", "T -> canonical body, JSON", "task"),
    "task_states": Key("job:{job}:state", "hash", "T -> packed state", "task"),
    "task_failures": Key("job:{job}:fail", "hash", "T -> packed failure, unless a plain non-zero exit", "task"),
    "task_stories": Key("job:{job}:story", "hash", "T -> packed list of ended attempts and notes", "task"),
    "task_containers": Key(
        "job:{job}:containers", "hash", "T -> `attempt|containerInfo as JSON` of tasks in containers", "task"
    ),
    "task_gangs": Key(
        "job:{job}:gangs",
        "hash",
        "T -> packed {attempt, instances} of multi-instance tasks (lua/lib/gangs.lua)",
        "task",
    ),
    "task_affinity": Key("job:{job}:affinity", "hash", "T -> node id", "task"),
    "job_prep": Key("job:{job}:prep", "hash", "N -> packed preparation of the job on that node", "job"),
    "job_release": Key("job:{job}:release", "hash", "N -> packed release of the job on that node", "job"),
    "job_barred": Key("job:{job}:barred", "set", "N where its preparation failed", "job"),
    "job_ready": Key("job:{job}:ready:{slots}", "zset", "ready T by number", "job"),
    "job_classes": Key("job:{job}:classes", "zset", "slots with a ready task", "job"),
    "dep_children": Key("job:{job}:children:{parent}", "list", "T that wait for this id", "until satisfied"),
    "dep_gone": Key("job:{job}:gone", "set", "ids that satisfied and were deleted", "job"),
    "dep_runs": Key("job:{job}:runs", "zset", "starts of runs of satisfied integers", "job"),
    "dep_run_ends": Key("job:{job}:run_ends", "hash", "start -> end of each run", "job"),
    "dep_ranges": Key("job:{job}:ranges", "hash", "`a-b` -> the integer it waits at", "until satisfied"),
    "dep_watch": Key("job:{job}:watch:{at}", "list", "ranges that wait at this integer", "until satisfied"),
    "dep_range_children": Key(
        "job:{job}:range_children:{range}", "list", "T that wait for this range", "until satisfied"
    ),
    "dep_orphans": Key("job:{job}:orphans", "set", "`c|id`, `r|range`: lists that may still name deleted tasks", "job"),
    "dep_todo": Key("job:{job}:todo", "list", "dependency work left over by a full script", "until done"),
    "certificate_ids": Key("certificate_ids", "hash", "lower-case thumbprint -> C", "certificate"),
    "certificates": Key("certificates", "zset", "C by number", "certificate"),
    "certificate": Key("certificate:{certificate}", "hash", "facts; data and password sealed", "certificate"),
    "certificate_users": Key(
        "certificate:{certificate}:users", "set", "`p<P>`, `n<N>`: pools and nodes that use it", "certificate"
    ),
    "applications": Key("applications", "hash", "lower-case application id -> JSON record", "application"),
    "containers": Key("containers", "hash", "container name -> JSON: number, etag, modified, metadata", "container"),
    "container_names": Key("container_names", "zset", "names of containers, all scored 0", "container"),
    "blobs": Key("container:{container}:blobs", "hash", "blob name -> packed record", "blob"),
    "blob_names": Key("container:{container}:names", "zset", "names of blobs, all scored 0", "blob"),
    "blob_pieces": Key("container:{container}:pieces", "hash", "content id -> packed pieces of a blob of many", "blob"),
    "stagings": Key(
        "container:{container}:stagings", "zset", "digests of fence and name, by time of the last block", "staging"
    ),
    "staged": Key(
        "container:{container}:staged:{staging}", "hash", "block id -> packed size, object; '' -> version", "staging"
    ),
    "uploads": Key("uploads", "hash", "object -> packed facts of its multipart upload", "until it ends"),
    "drafts": Key(
        "drafts",
        "zset",
        "`o<object>` and `u<object>` (its upload) being written, by time",
        "until referred to or doomed",
    ),
    "doomed": Key("doomed", "zset", "drafts given up; `o`, `l<list>`, `c<container>` let go; by time", "until deleted"),
    "doomed_lists": Key("doomed_lists", "hash", "list -> packed names of objects", "until deleted"),
}


def prefix(account: str) -> str:
    return f"nf:{account}:"


class Keys:
    """Key names of one account: `keys.job(job=7)` -> `nf:acct:job:7`."""

    def __init__(self, account: str) -> None:
        self.prefix = prefix(account)

    def __call__(self, name: str, **numbers: object) -> str:
        return self.prefix + TABLE[name].template.format(**numbers)


def lua_table(wanted: set[str]) -> str:
    """Lua source of the table `K` with those of the keys that are wanted; `P` is the account's prefix."""
    lines = ["local K = {}"]
    for name in sorted(wanted & TABLE.keys()):
        key = TABLE[name]
        parts = re.split(r"\{(\w+)\}", key.template)
        params = parts[1::2]
        body = " .. ".join(f"'{p}'" if i % 2 == 0 else p for i, p in enumerate(parts) if p)
        lines.append(f"function K.{name}({', '.join(params)}) return P .. {body} end")
    return "\n".join(lines) + "\n"


def match(name: str) -> re.Pattern[str]:
    """Pattern of a key without its prefix, groups named as in the template."""
    pattern = re.escape(TABLE[name].template).replace(r"\{", "{").replace(r"\}", "}")
    return re.compile("^" + re.sub(r"\{(\w+)\}", r"(?P<\1>.+)", pattern) + "$")
