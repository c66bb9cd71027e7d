"""Fully loaded requests in the newest form, and smaller ones as clients of other api-versions send them."""

from copy import deepcopy

import pytest

from orchestrator.api import wire
from orchestrator.api.lenses import NEWEST
from orchestrator.api.wire.errors import WireError

MACHINE = {
    "imageReference": {"publisher": "Canonical", "offer": "UbuntuServer", "sku": "16.04-LTS"},
    "nodeAgentSKUId": "batch.node.ubuntu 16.04",
}

FILES = [
    {"httpUrl": "https://files.example/in?sig=abc%3D&se=2030", "filePath": "data/in", "fileMode": "0755"},
    {"storageContainerUrl": "https://files.example/c?sig=def", "blobPrefix": "x/", "filePath": "dir"},
    {"autoStorageContainerName": "mine", "blobPrefix": "y/"},
]

OUTPUTS = [
    {
        "filePattern": "../std*.txt",
        "destination": {
            "container": {
                "containerUrl": "https://files.example/out?sig=ghi",
                "path": "logs",
                "uploadHeaders": [{"name": "Content-Type", "value": "text/plain"}],
            }
        },
        "uploadOptions": {"uploadCondition": "taskCompletion"},
    }
]

TASK = {
    "id": "task-1",
    "displayName": "Ünïcode",
    "commandLine": "/bin/sh -c 'echo $A'",
    "resourceFiles": FILES,
    "outputFiles": OUTPUTS,
    "environmentSettings": [{"name": "A", "value": "1"}, {"name": "B"}],
    "affinityInfo": {"affinityId": "TVM:tvm-1"},
    "constraints": {"maxWallClockTime": "PT01H00M00S", "retentionTime": "P1D", "maxTaskRetryCount": "3"},
    "requiredSlots": 2,
    "userIdentity": {"autoUser": {"scope": "Task", "elevationLevel": "nonAdmin"}},
    "exitConditions": {
        "exitCodes": [{"code": 1, "exitOptions": {"jobAction": "disable", "dependencyAction": "block"}}],
        "exitCodeRanges": [{"start": 2, "end": 9, "exitOptions": {"jobAction": "none"}}],
        "preProcessingError": {"jobAction": "terminate"},
        "fileUploadError": {"dependencyAction": "satisfy"},
        "default": {"jobAction": "none"},
    },
    "dependsOn": {"taskIds": ["a", "b"], "taskIdRanges": [{"start": 1, "end": 10}]},
    "applicationPackageReferences": [{"applicationId": "app", "version": "1.0"}],
}

START = {
    "commandLine": "/bin/true",
    "resourceFiles": FILES,
    "environmentSettings": [{"name": "A", "value": "1"}],
    "userIdentity": {"username": "me"},
    "maxTaskRetryCount": 2,
    "waitForSuccess": False,
}

POOL = {
    "id": "pool-1",
    "displayName": "Pool",
    "vmSize": "STANDARD_D2_v3",
    "virtualMachineConfiguration": MACHINE | {"nodePlacementConfiguration": {"policy": "Regional"}},
    "resizeTimeout": "PT05M00S",
    "targetDedicatedNodes": "2",
    "targetLowPriorityNodes": 1,
    "enableAutoScale": False,
    "enableInterNodeCommunication": True,
    "networkConfiguration": {
        "subnetId": "/subscriptions/s/virtualNetworks/v/subnets/lab-net",
        "dynamicVNetAssignmentScope": "None",
        "endpointConfiguration": {
            "inboundNATPools": [
                {
                    "name": "web",
                    "protocol": "TCP",
                    "backendPort": "8080",
                    "frontendPortRangeStart": 60000,
                    "frontendPortRangeEnd": 60039,
                    "networkSecurityGroupRules": [
                        {
                            "priority": 200,
                            "access": "Deny",
                            "sourceAddressPrefix": "10.0.0.0/8",
                            "sourcePortRanges": ["*", "1-99", "7"],
                        },
                        {"priority": 150, "access": "allow", "sourceAddressPrefix": "*"},
                    ],
                }
            ]
        },
        "publicIPAddressConfiguration": {
            "provision": "UserManaged",
            "ipAddressIds": ["/x/publicIPAddresses/192.0.2.7"],
        },
        "enableAcceleratedNetworking": False,
    },
    "startTask": START,
    "applicationPackageReferences": [{"applicationId": "app"}],
    "taskSlotsPerNode": 4,
    "taskSchedulingPolicy": {"nodeFillType": "Pack", "jobDefaultOrder": "none"},
    "userAccounts": [
        {
            "name": "me",
            "password": "secret!",
            "elevationLevel": "admin",
            "linuxUserConfiguration": {"uid": 1005, "gid": 1005, "sshPrivateKey": "-----KEY-----"},
        }
    ],
    "metadata": [{"name": "k", "value": "v"}],
    "upgradePolicy": {"mode": "Manual"},
}

JOB = {
    "id": "job-1",
    "displayName": "Job",
    "usesTaskDependencies": True,
    "priority": "5",
    "constraints": {"maxWallClockTime": "PT01H00M00S", "maxTaskRetryCount": 1},
    "commonEnvironmentSettings": [{"name": "A", "value": "1"}],
    "poolInfo": {"poolId": "pool-1"},
    "onAllTasksComplete": "terminateJob",
    "onTaskFailure": "performExitOptionsJobAction",
    "metadata": [{"name": "k", "value": "v"}],
    "maxParallelTasks": 3,
    "allowTaskPreemption": False,
}

JOB_TASK = {
    "id": "mine",
    "commandLine": "/bin/true",
    "resourceFiles": FILES,
    "environmentSettings": [{"name": "A", "value": "1"}],
    "userIdentity": {"username": "me"},
}
CONSTRAINTS = {"maxWallClockTime": "PT01H00M00S", "retentionTime": "P1D", "maxTaskRetryCount": 3}
JOB |= {
    "jobManagerTask": JOB_TASK
    | {
        "id": "manager",
        "displayName": "Manager",
        "outputFiles": OUTPUTS,
        "constraints": CONSTRAINTS,
        "requiredSlots": 2,
        "killJobOnCompletion": False,
        "runExclusive": False,
        "applicationPackageReferences": [{"applicationId": "app", "version": "1.0"}],
        "allowLowPriorityNode": False,
    },
    "jobPreparationTask": JOB_TASK
    | {"constraints": CONSTRAINTS, "waitForSuccess": False, "rerunOnNodeRebootAfterSuccess": False},
    "jobReleaseTask": JOB_TASK | {"id": "last", "maxWallClockTime": "PT05M00S", "retentionTime": "P1D"},
}

AUTO_POOL = {
    "autoPoolIdPrefix": "auto",
    "poolLifetimeOption": "jobSchedule",
    "keepAlive": True,
    "pool": {name: value for name, value in POOL.items() if name != "id"},
}

SCHEDULE = {
    "id": "sched-1",
    "displayName": "Schedule",
    "schedule": {
        "doNotRunUntil": "2026-01-02T03:04:05.123456Z",
        "doNotRunAfter": "2027-01-02T03:04:05Z",
        "startWindow": "PT05M00S",
        "recurrenceInterval": "PT1H",
    },
    "jobSpecification": {name: value for name, value in JOB.items() if name != "id"}
    | {"poolInfo": {"autoPoolSpecification": AUTO_POOL}},
    "metadata": [{"name": "k", "value": "v"}],
}

FORMULA = "$TargetDedicatedNodes = min(4, $PendingTasks.GetSample(1)); // all of it\n"

PFX = (
    "MIIDLgIBAzCCAvQGCSqGSIb3DQEHAaCCAuUEggLhMIIC3TCCAb4GCSqGSIb3DQEHBqCCAa8wggGrAgEAMIIBpAYJKoZIhvcN"
    "AQcBMBsGCiqGSIb3DQEMAQMwDQQIGNUrIbFg9FICAQGAggF4o9WkGXMsTYaPHjJ1BiWiyW+dw5eOB/2+fF4GZZdWXxyLPOo1"
    "ncEnIzaw+qaa12qdrwmE4jRpIgWyzlPZHM/y2HmKrAiT6c25TMn39pjZFri6jEbHXfPvNzZPnz7gU+gJ2V0RdNsgwRp4aea/"
    "Rfl0J5BnJmeo/nuwTKuTViGCjLaMTZb6mQzQDyFsv2HfOcGlfzQdfqyzN/GhyIgetMUvLuXnzN/9+w3PKw28mAQiXSZFylsS"
    "cd7COj1Ff6+F1/EuOJ233ZRd1Oh6k/UU1FqSzgQW8GWOcETfUyQWTieDbHNBek/EWW9XNuJZT/eXmMxHOstS8XpsmWWtEArW"
    "dHtcxyI7uODMZVBCktXKISRPiC0g1Bwzfu9boa/lACzbSECzKZIOdIhu8CZ7NYxGx/ClsE1mSXS72mgX/0F6FezTOQMEzJ2I"
    "3aryFM/Q7us69JmONuWPXLLTuDRfUyRxboeUxobUOmOaGMZy/AEfZ7IWVdkFjaFtmzPbiTCCARcGCSqGSIb3DQEHAaCCAQgE"
    "ggEEMIIBADCB/QYLKoZIhvcNAQwKAQKggbMwgbAwGwYKKoZIhvcNAQwBAzANBAhGVkmjGAl4+AIBAQSBkIkcCgH62cyLRggn"
    "iNYRQonkNoqwLhEaT2i90QNDqcjmO9vmjQK52N58LdZJjRtzFiqzFkFnOYot4zMwJtQVLQS/YW6q/os/JmpUyFY4aZ6yOz01"
    "c92JEy2cjGKs+9CXaskwBuNCf35G6Jw4H/Xl/zFfIDiFYHSd2VHEqPhEinOQja+mkyy/4G7P+xWOJDrIBzE4MBEGCSqGSIb3"
    "DQEJFDEEHgIAYzAjBgkqhkiG9w0BCRUxFgQUc+5uJwh5MR9D6CMmVpaanaWOVYMwMTAhMAkGBSsOAwIaBQAEFGfrGbIYqwcn"
    "vz0X9gR1URZL1tc+BAg3gBstaiAdJwICCAA="
)

LOADED = {
    "certificate_add": {
        "thumbprint": "73EE6E270879311F43E8232656969A9DA58E5583",
        "thumbprintAlgorithm": "SHA1",
        "data": PFX,
        "certificateFormat": "Pfx",
        "password": "secret!",
    },
    "pool_add": POOL,
    "pool_patch": {name: POOL[name] for name in ("displayName", "startTask", "metadata", "taskSchedulingPolicy")},
    "pool_updateproperties": {name: POOL[name] for name in ("startTask", "applicationPackageReferences", "metadata")},
    "pool_resize": {
        "targetDedicatedNodes": 3,
        "targetLowPriorityNodes": 0,
        "resizeTimeout": "PT10M",
        "nodeDeallocationOption": "taskCompletion",
    },
    "pool_enable_autoscale": {"autoScaleFormula": FORMULA, "autoScaleEvaluationInterval": "PT06M00S"},
    "pool_evaluate_autoscale": {"autoScaleFormula": FORMULA},
    "job_add": JOB,
    "job_patch": {name: JOB[name] for name in ("priority", "constraints", "poolInfo", "metadata", "maxParallelTasks")},
    "job_update": {name: JOB[name] for name in ("priority", "constraints", "poolInfo", "onAllTasksComplete")},
    "job_disable": {"disableTasks": "Requeue"},
    "job_terminate": {"terminateReason": "enough"},
    "schedule_add": SCHEDULE,
    "schedule_patch": {name: SCHEDULE[name] for name in ("schedule", "jobSpecification", "metadata")},
    "schedule_update": {name: SCHEDULE[name] for name in ("schedule", "jobSpecification", "metadata")},
    "task_add": TASK,
    "task_collection": {"value": [TASK, {"id": "t2", "commandLine": "x"}]},
    "task_update": {"constraints": TASK["constraints"]},
    "node_user_add": {
        "name": "ann",
        "isAdmin": True,
        "expiryTime": "2030-01-02T03:04:05Z",
        "password": "secret!",
        "sshPublicKey": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f ann@home",
    },
    "node_user_update": {"password": "secret!", "expiryTime": "2030-01-02T00:00:00Z"},
    "node_reboot": {"nodeRebootOption": "taskCompletion"},
    "node_reimage": {"nodeReimageOption": "retainedData"},
    "node_deallocate": {"nodeDeallocateOption": "Terminate"},
    "node_disable": {"nodeDisableSchedulingOption": "taskCompletion"},
    "node_remove": {
        "nodeList": ["tvm-1_1-x", "tvm-1_2-x"],
        "resizeTimeout": "PT10M",
        "nodeDeallocationOption": "retainedData",
    },
    "node_logs": {
        "containerUrl": "https://files.example/logs?sig=a",
        "startTime": "2026-01-02T03:04:05.0000000Z",
        "endTime": "2026-01-02T04:04:05.0000000Z",
    },
}


def loaded(kind: str) -> dict:
    return deepcopy(LOADED[kind])


def small_pool(**members) -> dict:
    """A pool as a client of 5.0 and later sends it."""
    return {
        "id": "p",
        "vmSize": "standard_a1",
        "virtualMachineConfiguration": deepcopy(MACHINE),
        "targetDedicatedNodes": 1,
    } | members


def old_pool(**members) -> dict:
    """A pool as a client before 5.0 sends it."""
    pool = small_pool(**members)
    pool["targetDedicated"] = pool.pop("targetDedicatedNodes")
    return pool


def small_task(**members) -> dict:
    return {"id": "t", "commandLine": "/bin/true"} | members


def small_job(**members) -> dict:
    return {"id": "j", "poolInfo": {"poolId": "p"}} | members


def refusal(kind, body, at=NEWEST, rules=None):
    """(code, member) of a body that is refused."""
    with pytest.raises(WireError) as refused:
        wire.parse(kind, body, at, rules)
    return refused.value.code, refused.value.values.get("PropertyName")
