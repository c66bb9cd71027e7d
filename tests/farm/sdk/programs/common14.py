"""What the programs for azure-batch before 15 share: a client, and waiting."""

import json
import os
import sys
import time

from azure.batch import BatchServiceClient, models
from azure.batch.batch_auth import SharedKeyCredentials


def client():
    return BatchServiceClient(
        SharedKeyCredentials(os.environ["BATCH_ACCOUNT"], os.environ["BATCH_KEY"]), os.environ["BATCH_URL"]
    )


def wait(condition, seconds=60):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    code = condition.__code__
    sys.exit(f"still false after {seconds} s: {code.co_filename}, line {code.co_firstlineno}; {sys._getframe(1)}")


def text(stream):
    return b"".join(stream).decode()


def refusal(call):
    """(status, code) of a refused call."""
    try:
        call()
    except models.BatchErrorException as error:
        return [error.response.status_code, error.error.code]
    return None


def finish(**result):
    print(json.dumps(result))
