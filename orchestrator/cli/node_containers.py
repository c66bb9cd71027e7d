"""Nodes that are containers outlive a farm that was killed: a note in its folder says that there may be some."""

from pathlib import Path

from orchestrator.cli.folder import write_private

_NOTE = "containers"


def expect(folder: Path, account: str) -> None:
    """The farm of this folder makes nodes that are containers from now on."""
    write_private(folder / _NOTE, account + "\n")


def remove(folder: Path) -> bool:
    """Remove all of them with their volumes and networks; answers whether there might have been any.

    Raises:
        FarmError, ValueError, OSError: not all could be removed; the note stays for the next try.
    """
    note = folder / _NOTE
    try:
        account = note.read_text().strip()
    except FileNotFoundError:
        return False
    from orchestrator import docker_wiring, wiring  # slow to load, and needed for farms with containers only
    from orchestrator.settings import Settings

    settings = Settings(data_dir=folder, account=account)
    docker_wiring.driver(settings, wiring.secret(settings)).remove_all()
    note.unlink()
    return True
