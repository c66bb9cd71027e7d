"""What the programs for azure-batch 15 share: a client, and waiting."""

import json
import os
import sys
import time

from azure.batch import BatchClient, models
from azure.core.credentials import AzureNamedKeyCredential
from azure.core.exceptions import HttpResponseError

__all__ = ["client", "finish", "models", "refusal", "text", "wait"]


def client():
    key = AzureNamedKeyCredential(os.environ["BATCH_ACCOUNT"], os.environ["BATCH_KEY"])
    return BatchClient(os.environ["BATCH_URL"], key)


def wait(condition, seconds=60):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    code = condition.__code__
    sys.exit(f"still false after {seconds} s: {code.co_filename}, line {code.co_firstlineno}")


def text(stream):
    return b"".join(stream).decode()


def refusal(call):
    """(status, code) of a refused call."""
    try:
        call()
    except HttpResponseError as error:
        return [error.status_code, getattr(error.model, "code", None)]
    return None


def finish(**result):
    print(json.dumps(result))
