"""Thin routers, one file per resource. The hot path (tasks) comes first: routes are tried in this order."""

from orchestrator.api.routes import (
    account,
    applications,
    containers,
    files,
    jobs,
    later,
    management,
    nodefarm,
    nodes,
    pools,
    schedules,
    system,
    tasks,
    users,
    why,
)

ROUTERS = (
    tasks.router,
    files.router,
    jobs.router,
    schedules.router,
    pools.router,
    nodes.router,
    users.router,
    account.router,
    applications.router,
    nodefarm.router,
    containers.router,
    containers.admin_router,
    management.router,
    why.router,
    system.router,
    later.router,
)
