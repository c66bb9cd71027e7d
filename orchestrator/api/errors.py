"""From an error to its answer: the table of codes and statuses, and the error body (spec/api.md, 1.4 and 4.1)."""

import time
from collections.abc import Mapping
from typing import Any

import orjson
from redis.exceptions import RedisError

from orchestrator.api.wire.errors import WireError
from orchestrator.domain.errors import Refused, Unavailable

_CODES = {
    400: """MissingRequiredHeader UnsupportedHeader InvalidHeaderValue MissingRequiredQueryParameter
        UnsupportedQueryParameter InvalidQueryParameterValue OutOfRangeQueryParameterValue MissingRequiredProperty
        UnsupportedProperty InvalidPropertyValue InvalidRequestBody InvalidInput OutOfRangeInput EmptyMetadataKey
        InvalidMetadata MetadataTooLarge InvalidUri RequestUrlFailedToParse InvalidHttpVerb
        InvalidAuthenticationInfo MultipleConditionHeadersNotSupported UnsupportedRequestVersion
        InvalidAutoScalingSettings AutoScalingFormulaSyntaxError AutoScaleFormulaTooLong OutOfRangePriority
        InvalidConstraintValue UnsupportedConstraint TaskDependenciesNotSpecifiedOnJob TaskDependencyListTooLong
        TaskDependencyRangesTooLong OSVersionNotFound OSVersionDisabled OSVersionExpired
        PoolVersionEqualsUpgradeVersion PoolNotEligibleForOSVersionUpgrade""",
    403: """AuthenticationFailed InsufficientAccountPermissions PermissionDenied AccountIsDisabled IOError""",
    404: """ResourceNotFound PoolNotFound NodeNotFound JobNotFound JobScheduleNotFound TaskNotFound FileNotFound
        PathNotFound NodeUserNotFound CertificateNotFound ApplicationNotFound ApplicationPackageNotFound
        NodeAgentSKUNotFound JobPreparationTaskNotRunOnNode JobReleaseTaskNotRunOnNode StorageAccountNotFound""",
    405: "UnsupportedHttpVerb",
    409: """PoolExists JobExists JobScheduleExists TaskExists CertificateExists NodeUserExists ResourceAlreadyExists
        JobWithSameIdExists JobScheduleWithSameIdExists PoolBeingCreated PoolBeingResized PoolBeingDeleted
        PoolQuotaReached OperationNotValidOnPool UpgradePoolVersionConflict InvalidApplicationPackageReferences
        InvalidCertificateReferences CertificateBeingDeleted CertificateStateActive CertificateDeleteFailed
        NodeBeingCreated NodeBeingStarted NodeBeingReimaged NodeBeingRebooted NodeStateUnusable
        NodeAlreadyInTargetSchedulingState OperationNotValidOnNode NodeCountsMismatch JobBeingTerminated
        JobBeingDeleted JobDisabled JobCompleted JobNotActive ActiveJobAndScheduleQuotaReached
        JobPreparationTaskNotSpecified JobReleaseTaskNotSpecified JobScheduleBeingTerminated
        JobScheduleBeingDeleted JobScheduleDisabled JobScheduleCompleted TaskCompleted TaskNotCompleted
        TaskSucceeded TaskFilesUnavailable TaskFilesCleanedup TaskIdSameAsJobPreparationTask
        TaskIdSameAsJobReleaseTask OperationInvalidForCurrentState ResourceTypeMismatch AttemptSuperseded""",
    411: "MissingContentLengthHeader",
    412: "ConditionNotMet",
    413: "RequestBodyTooLarge RequestEntityTooLarge",
    416: "InvalidRange",
    429: "TooManyRequests",
    500: "InternalError OperationTimedOut",
    501: "NotImplemented",
    503: "ServerBusy TooManyEnableAutoScaleRequests",
}

STATUS: dict[str, int] = {code: status for status, codes in _CODES.items() for code in codes.split()}
"""Error code -> HTTP status. `ConditionNotMet` is 304 on an unmet cache condition; `ApiError.status` says so."""

_TEXT = {
    "InternalError": "The server met an internal error. Please retry the request.",
    "ServerBusy": "The server is currently unable to receive requests. Please retry your request.",
    "ResourceNotFound": "The specified resource does not exist.",
    "UnsupportedHttpVerb": "The resource does not support the specified HTTP verb.",
    "ConditionNotMet": "The condition specified using HTTP conditional header(s) is not met.",
    "RequestBodyTooLarge": "The size of the request body exceeds the maximum size permitted.",
    "InvalidRange": "The range specified is invalid for the current size of the resource.",
    "TaskFilesUnavailable": "The task files are unavailable: the task has not run on a node, or its node is gone.",
    "TaskFilesCleanedup": "The task files have been cleaned up from the node.",
    "FileNotFound": "The specified file does not exist.",
    "PoolNotFound": "The specified pool does not exist.",
    "NodeNotFound": "The specified node does not exist.",
    "JobNotFound": "The specified job does not exist.",
    "JobScheduleNotFound": "The specified job schedule does not exist.",
    "JobScheduleExists": "The specified job schedule already exists.",
    "JobWithSameIdExists": "A job with the specified id exists; jobs and job schedules share their ids.",
    "JobScheduleWithSameIdExists": "A job schedule with the specified id exists; they share their ids.",
    "JobScheduleBeingDeleted": "The specified job schedule is being deleted.",
    "JobScheduleBeingTerminated": "The specified job schedule is being terminated.",
    "JobScheduleCompleted": "The specified job schedule is already in a completed state.",
    "JobScheduleDisabled": "The specified job schedule is already disabled.",
    "TaskNotFound": "The specified task does not exist.",
    "ApplicationNotFound": "The specified application does not exist.",
    "PoolExists": "The specified pool already exists.",
    "JobExists": "The specified job already exists.",
    "TaskExists": "The specified task already exists.",
    "PoolBeingDeleted": "The specified pool is being deleted.",
    "PoolBeingResized": "The specified pool is being resized.",
    "JobBeingDeleted": "The specified job is being deleted.",
    "JobBeingTerminated": "The specified job is being terminated.",
    "JobCompleted": "The specified job is already in a completed state.",
    "TaskCompleted": "The specified task is already in a completed state.",
    "TaskNotCompleted": "The specified task is not in a completed state.",
    "TaskSucceeded": "The specified task has completed with success and cannot be reactivated.",
    "TaskDependenciesNotSpecifiedOnJob": "The job does not use task dependencies (usesTaskDependencies).",
    "JobPreparationTaskNotSpecified": "The specified job has no job preparation task.",
    "TaskIdSameAsJobPreparationTask": "The task has the id of the job preparation task of its job.",
    "TaskIdSameAsJobReleaseTask": "The task has the id of the job release task of its job.",
    "PoolQuotaReached": "The pool quota of the account is reached.",
    "TooManyEnableAutoScaleRequests": "Autoscale of this pool was enabled or changed a moment ago. Please retry later.",
    "OperationNotValidOnPool": "The operation is not valid on the specified pool.",
    "ActiveJobAndScheduleQuotaReached": "The quota of active jobs and schedules of the account is reached.",
    "OperationInvalidForCurrentState": "The operation is not possible in the current state of the resource.",
}


class ApiError(Exception):
    """An answer that is an error. `values` become name/value pairs; `headers` go out with it."""

    def __init__(
        self,
        code: str,
        message: str = "",
        *,
        status: int | None = None,
        values: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.status = status or STATUS.get(code, 500)
        self.message = message or text_of(code)
        self.values = {name: str(value) for name, value in (values or {}).items()}
        self.headers = dict(headers or {})


def text_of(code: str) -> str:
    """The sentence for a code that came without one: the known one, else the code in words."""
    if code in _TEXT:
        return _TEXT[code]
    return "".join(f" {c.lower()}" if c.isupper() else c for c in code).strip().capitalize() + "."


def translate(error: BaseException) -> ApiError | None:
    """The answer for an error raised on purpose, or None when it is an accident (500, logged with its traceback)."""
    match error:
        case ApiError():
            return error
        case WireError():
            return ApiError(error.code, error.message, values=error.values)
        case Refused():
            return ApiError(error.code, error.message, values=error.values)
        case Unavailable():
            return busy(str(error), error.retry_after)
        case RedisError():
            return busy("The state store cannot be reached.", 2.0)
    return None


def busy(message: str, retry_after: float) -> ApiError:
    """503 with Retry-After in whole seconds, at least one."""
    return ApiError("ServerBusy", message, headers={"retry-after": str(max(1, round(retry_after)))})


def body(error: ApiError, base: str, request_id: str) -> bytes:
    """The service's error body. Text that cannot be UTF-8 is replaced, never a reason to fail."""
    now = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())
    message = f"{error.message}\nRequestId:{request_id}\nTime:{now}.0000000Z"
    document: dict[str, Any] = {
        "odata.metadata": f"{base}/$metadata#Microsoft.Azure.Batch.Protocol.Entities.Container.errors/@Element",
        "code": error.code,
        "message": {"lang": "en-US", "value": printable(message)},
    }
    if error.values:
        document["values"] = [{"key": key, "value": printable(value)} for key, value in error.values.items()]
    return orjson.dumps(document)


def printable(text: str) -> str:
    """The text with lone surrogates replaced and cut to a length that suits an error message."""
    return text[:2048].encode("utf-8", "replace").decode()
