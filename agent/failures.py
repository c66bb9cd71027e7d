"""What can go wrong with a task on a node, in the service's codes (spec/api.md, 4.2). Pure."""

import json
from dataclasses import dataclass, field

_LONGEST = 2000

PRE, RUN, UPLOAD, TIME = "pre", "run", "upload", "time"
USER, SERVER = "UserError", "ServerError"

CODES = {
    "BlobNotFound": (USER, "The specified Azure Blob(s) is not found"),
    "BlobAccessDenied": (USER, "Access for one of the specified Azure Blob(s) is denied"),
    "BlobDownloadTimedOut": (SERVER, "Downloading of one of the specified Azure Blob(s) timed out"),
    "BlobDownloadMiscError": (SERVER, "Miscellaneous error encountered while downloading a specified Azure Blob"),
    "ResourceDirectoryCreateFailed": (SERVER, "A directory of a resource file could not be created"),
    "ResourceFileCreateFailed": (SERVER, "A resource file could not be created"),
    "ResourceFileWriteFailed": (SERVER, "A resource file could not be written"),
    "DiskFull": (SERVER, "There is not enough disk space on the node"),
    "ApplicationPackageError": (USER, "An application package could not be installed"),
    "ContainerInvalidImage": (USER, "The container image of the task is not valid or cannot be had"),
    "ContainerInvalidRegistryConfiguration": (USER, "The container registry refused the credentials of the task"),
    "ContainerLaunchFailed": (USER, "The container of the task could not be started"),
    "ContainerPoolNotSupported": (USER, "The task's container settings do not go with its pool"),
    "CommandProgramNotFound": (USER, "The specified command program is not found"),
    "CommandLaunchFailed": (USER, "Failed to launch the specified command line"),
    "TaskSchedulingConstraintFailed": (USER, "The task cannot be run on this node"),
    "InvalidUserAccount": (USER, "A user account of the pool cannot be set up on the node"),
    "TaskEnded": (USER, "Task Was Ended by User Request"),
    "FailureExitCode": (USER, "The task exited with an exit code representing a failure"),
    "FileUploadContainerNotFound": (USER, "One of the specified Azure container(s) was not found"),
    "FileUploadAccessDenied": (USER, "Access to one of the specified Azure container(s) was denied"),
    "FileUploadMiscError": (USER, "A miscellaneous error was encountered while uploading one of the output files"),
    "MountConfigurationError": (USER, "A file system of the pool cannot be mounted on the node"),
    "Unknown": (SERVER, "An unknown error was encountered"),
}


@dataclass(frozen=True)
class Failure:
    """Why a task failed: a phase of its life, a code of the service, and name-value details."""

    phase: str
    code: str
    details: tuple[tuple[str, str], ...] = field(default=())

    @property
    def message(self) -> str:
        return CODES[self.code][1]

    def listed(self) -> list[str]:
        """As `fail` of an `end` event (contract/messages.py)."""
        pairs = [{"name": name, "value": value} for name, value in self.details]
        return [self.phase, CODES[self.code][0], self.code, self.message, json.dumps(pairs)]

    def wire(self) -> dict:
        """As a TaskFailureInformation object."""
        pairs = [{"name": name, "value": value} for name, value in self.details]
        return {"category": CODES[self.code][0], "code": self.code, "message": self.message, "details": pairs}


class Failed(Exception):
    """A step on behalf of a task failed for good; carries the Failure."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(f"{failure.code}: {dict(failure.details).get('Message', failure.message)}")
        self.failure = failure


def failure(phase: str, code: str, message: str = "", **details: str) -> Failure:
    """Make a Failure; `message` becomes the detail named Message. Long values are cut."""
    pairs = [("Message", message)] if message else []
    return Failure(phase, code, tuple((name, value[:_LONGEST]) for name, value in pairs + list(details.items())))
