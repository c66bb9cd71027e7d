"""farm certificate: add, list, show, delete, cancel-delete."""

import base64
from pathlib import Path
from typing import Annotated, Any

import typer

from orchestrator.cli import connect, output
from orchestrator.cli.errors import UsageError
from orchestrator.cli.options import Json, Yes, confirm, example, group

app = group("Certificates: files with keys that nodes give to tasks before they run.")
Thumbprint = Annotated[str, typer.Argument(metavar="THUMBPRINT", help="SHA-1 of the certificate, in hexadecimal.")]


@app.command(epilog=example("farm certificate add web.pfx --password-file web.pfx.pw", "farm certificate add ca.cer"))
def add(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A .pfx, or a certificate in DER or PEM.", exists=True)],
    password: Annotated[
        Path | None, typer.Option("--password-file", help="File with the password of the pfx.", exists=True)
    ] = None,
    json: Json = False,
) -> None:
    """Add a certificate; prints its thumbprint, by which pools refer to it."""
    from orchestrator.domain import certificates  # slow to load

    data = base64.b64encode(file.read_bytes()).decode()
    format = "pfx" if file.suffix.lower() in (".pfx", ".p12") else "cer"
    secret = password.read_text().rstrip("\r\n") if password is not None else None
    try:
        thumbprint = certificates.read(data, format, secret).thumbprint
    except certificates.Unreadable as error:
        raise UsageError(f"{file}: {error}") from error
    body = {
        "thumbprint": thumbprint, "thumbprintAlgorithm": certificates.ALGORITHM, "data": data,
        "certificateFormat": format, **({"password": secret} if secret else {}),
    }  # fmt: skip
    with connect.client() as farm:
        farm.post("/certificates", body)
        if json:
            output.as_json(farm.get(_path(thumbprint)))
            return
    output.out.print(thumbprint)


@app.command("list", epilog=example("farm certificate list"))
def list_(json: Json = False) -> None:
    """List the certificates of the account."""
    with connect.client() as farm:
        found = list(farm.every("/certificates"))
    if json:
        output.as_json(found)
        return
    output.table(("THUMBPRINT", "FORMAT", "STATE", "SINCE"), map(_row, found), "no certificates")


def _row(one: dict[str, Any]) -> tuple[Any, ...]:
    since = output.ago(one.get("stateTransitionTime"))
    return (one["thumbprint"], one.get("certificateFormat", ""), one["state"], since)


@app.command(epilog=example("farm certificate show 85d0...e1b7"))
def show(thumbprint: Thumbprint, json: Json = False) -> None:
    """Show one certificate: its public part, and why a deletion failed."""
    with connect.client() as farm:
        output.show(farm.get(_path(thumbprint)), json)


@app.command(epilog=example("farm certificate delete 85d0...e1b7 --yes"))
def delete(thumbprint: Thumbprint, yes: Yes = False) -> None:
    """Delete a certificate. While a pool or a node uses it, this fails and the certificate is deletefailed."""
    with connect.client() as farm:
        confirm(f"Delete certificate {thumbprint}?", yes)
        farm.delete(_path(thumbprint))
    output.say(f"certificate {thumbprint} is being deleted")


@app.command("cancel-delete", epilog=example("farm certificate cancel-delete 85d0...e1b7"))
def cancel_delete(thumbprint: Thumbprint) -> None:
    """Make a certificate whose deletion failed active again."""
    with connect.client() as farm:
        farm.post(f"{_path(thumbprint)}/canceldelete")
    output.say(f"certificate {thumbprint} is active")


def _path(thumbprint: str) -> str:
    from orchestrator.domain.certificates import ALGORITHM  # slow to load

    digits = thumbprint.replace(":", "").replace(" ", "").lower()
    if not digits.isalnum():
        raise UsageError(f"'{thumbprint}' is no thumbprint")
    return f"/certificates(thumbprintAlgorithm={ALGORITHM},thumbprint={digits})"
