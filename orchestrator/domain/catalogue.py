"""Images, node agent SKUs, sizes and quotas: one YAML file, checked when it is read (spec/catalogue.md)."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, PositiveInt, ValidationError

DEFAULT = Path(__file__).with_suffix(".yaml")
PREFIX = "standard_"
DOCKER = "docker"
"""The publisher of images that are named as Docker does: offer and sku are name and tag."""
TAG, OWN = "{tag}", "0.1.0"
"""What stands for the tag of the farm's own images (FARM_IMAGE_TAG), and what that is unless told otherwise."""
_FREE_FORM = re.compile(r"farm_([1-9]\d{0,3})c_(\d{1,5}(?:\.\d{1,3})?)g", re.ASCII)
_DOCKER_PART = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_DOCKER = re.compile(
    rf"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::\d{{1,5}})?/)?{_DOCKER_PART}(?:/{_DOCKER_PART})*"
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[0-9a-f]{64})?",
    re.ASCII,
)


class CatalogueError(ValueError):
    """The catalogue has no such thing; `field` is the member of the pool that asked for it."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


class BadCatalogue(ValueError):
    """The catalogue file itself is wrong; the message says where."""


@dataclass(frozen=True)
class Size:
    """What a vmSize stands for."""

    name: str  # lower case, as the pool shows it
    cores: int
    memory_gib: float
    gpus: int = 0

    @property
    def max_slots(self) -> int:
        return min(4 * self.cores, 256)

    @property
    def memory_bytes(self) -> int:
        return int(self.memory_gib * 2**30)

    @property
    def shm_bytes(self) -> int:
        return self.memory_bytes // 2

    @property
    def processes(self) -> int:
        return max(512 * self.cores, 2048)


@dataclass(frozen=True)
class Image:
    """One image and the SKU that it pairs with. `docker` is empty for the stock node image."""

    publisher: str
    offer: str
    sku: str
    agent: str
    docker: str = ""
    os: str = "linux"
    verified: bool = True
    custom: bool = False  # named by virtualMachineImageId

    @property
    def reference(self) -> dict[str, str]:
        return {"publisher": self.publisher, "offer": self.offer, "sku": self.sku, "version": "latest"}


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _ImageRow(_Strict):
    publisher: str = Field(min_length=1)
    offer: str = Field(min_length=1)
    sku: str | list[str] = Field(min_length=1)
    agent: str = Field(pattern=r"^batch\.node\.")
    docker: str = ""
    os: Literal["linux", "windows"] = "linux"
    verified: bool = True


class _Family(_Strict):
    sizes: dict[str, list[float]]
    forms: list[str] = [""]
    twin: str = ""


class Quotas(_Strict):
    """How much one account may have."""

    dedicated_cores: PositiveInt = 20_000
    low_priority_cores: PositiveInt = 20_000
    pools: PositiveInt = 500
    active_jobs_and_schedules: PositiveInt = 3_000
    inter_node_pool_nodes: PositiveInt = 100
    applications: PositiveInt = 200
    application_versions: PositiveInt = 40
    application_references: PositiveInt = 10


class _File(_Strict):
    images: list[_ImageRow] = Field(min_length=1)
    managed: dict[str, str] = {}
    families: list[_Family] = Field(min_length=1)
    refused_sizes: list[str] = []
    quotas: Quotas = Quotas()


class Catalogue:
    """Lookups over one checked catalogue file."""

    def __init__(self, file: _File, tag: str = OWN) -> None:
        self.quotas = file.quotas
        self.images = tuple(_images(file, tag))
        self.sizes = _sizes(file)
        self._managed = {name.lower(): docker.replace(TAG, tag) for name, docker in file.managed.items()}
        self._refused = {name.lower() for name in file.refused_sizes}

    def size(self, name: str) -> Size:
        """The size of that name, whatever its case.

        Raises:
            CatalogueError: unknown, or of the kind that only Windows had; names the closest known one.
        """
        wanted = name.strip().lower()
        if wanted in self.sizes:
            return self.sizes[wanted]
        free = _FREE_FORM.fullmatch(wanted)
        if free and float(free[2]) > 0:
            return Size(wanted, int(free[1]), float(free[2]))
        if wanted in self._refused:
            raise CatalogueError(
                "vmSize", f"virtual machines have never had the size {name[:64]!r}; {self._hint('standard_a1')}"
            )
        close = get_close_matches(wanted[:64], self.sizes, n=1, cutoff=0.0)
        raise CatalogueError("vmSize", f"unknown size; {self._hint(close[0])}")

    @staticmethod
    def _hint(close: str) -> str:
        return f"the closest known one is {close}, and farm_<cores>c_<GiB>g (farm_2c_4g) is free form"

    def image(self, reference: dict[str, Any], agent_sku: str) -> Image:
        """The image that a pool's imageReference and nodeAgentSKUId name.

        Raises:
            CatalogueError: unknown, not paired with that SKU, Windows, or a malformed Docker reference.
        """
        if reference.get("virtualMachineImageId"):
            return self._custom(reference, agent_sku)
        wanted = tuple(str(reference.get(part) or "").lower() for part in ("publisher", "offer", "sku"))
        rows = [row for row in self.images if (row.publisher.lower(), row.offer.lower(), row.sku.lower()) == wanted]
        if not rows and wanted[0] == DOCKER:
            return self._of_host(reference, agent_sku)
        if not rows:
            raise CatalogueError("imageReference", "no such image; GET /supportedimages lists those that there are")
        if rows[0].os == "windows":
            raise CatalogueError("imageReference", "nodes are Linux containers; Windows images cannot run on them")
        for row in rows:
            if row.agent.lower() == agent_sku.lower():
                return row
        raise CatalogueError("nodeAgentSKUId", f"the image goes with {rows[0].agent!r}")

    def _of_host(self, reference: dict[str, Any], agent_sku: str) -> Image:
        """An image as `supported_images` lists those of the host: name and tag stand for offer and sku."""
        name = f"{reference.get('offer') or ''}:{reference.get('sku') or ''}"
        return self._custom({"virtualMachineImageId": name}, agent_sku)

    def _custom(self, reference: dict[str, Any], agent_sku: str) -> Image:
        name = str(reference["virtualMachineImageId"])
        if any(reference.get(part) for part in ("publisher", "offer", "sku")):
            raise CatalogueError("imageReference", "virtualMachineImageId excludes publisher, offer and sku")
        if not agent_sku.lower().startswith("batch.node.") or agent_sku.lower().startswith("batch.node.windows"):
            raise CatalogueError("nodeAgentSKUId", "not a node agent SKU of Linux (batch.node.ubuntu 22.04)")
        docker = self._managed.get(_resource_name(name), "") if name.startswith("/") else name
        if not name.startswith("/") and not _DOCKER.fullmatch(name):
            raise CatalogueError("imageReference", "it is no Docker reference (registry/name:tag)")
        return Image("", "", "", agent_sku, docker=docker or name, custom=True)

    @cached_property
    def _by_sku(self) -> dict[str, list[Image]]:
        grouped: dict[str, list[Image]] = {}
        for row in self.images:
            grouped.setdefault(row.agent, []).append(row)
        return grouped

    def supported_images(self, on_host: Iterable[str] = ()) -> list[dict[str, Any]]:
        """Wire ImageInformation objects, those of today first.

        Args:
            on_host: tags of Docker images that nodes may be made of. They come last, with publisher, offer and sku
                like all others: programs compare these without asking whether they are there.
        """
        own = [
            {
                "nodeAgentSKUId": row.agent,
                "imageReference": row.reference,
                "osType": row.os,
                "capabilities": ["DockerCompatible"] if row.os == "linux" else [],
                "verificationType": "verified" if row.verified else "unverified",
            }
            for row in self.images
        ]
        return own + [_of_docker(tag, self.images[0].agent) for tag in on_host]

    def node_agent_skus(self) -> list[dict[str, Any]]:
        """Wire NodeAgentSku objects with their verified images, in the order of the images."""
        return [
            {
                "id": agent,
                "verifiedImageReferences": [row.reference for row in rows if row.verified],
                "osType": rows[0].os,
            }
            for agent, rows in self._by_sku.items()
        ]


def _resource_name(resource_id: str) -> str:
    """Last segment of a resource id; for `.../images/NAME/versions/V` it is NAME. Lower case."""
    parts = [part for part in resource_id.lower().split("/") if part]
    if len(parts) >= 3 and parts[-2] == "versions":
        return parts[-3]
    return parts[-1] if parts else ""


def _images(file: _File, tag: str) -> list[Image]:
    rows = []
    for row in file.images:
        for sku in [row.sku] if isinstance(row.sku, str) else row.sku:
            docker = row.docker.replace(TAG, tag)
            rows.append(Image(row.publisher, row.offer, sku, row.agent, docker, row.os, row.verified))
    return rows


def _sizes(file: _File) -> dict[str, Size]:
    sizes: dict[str, Size] = {}
    for family in file.families:
        for base, figures in family.sizes.items():
            if len(figures) not in (2, 3) or min(figures) <= 0 or figures[0] != int(figures[0]):
                raise BadCatalogue(f"size {base}: [cores, GiB] or [cores, GiB, GPUs], all positive, not {figures}")
            letter = re.match("[a-z]+", base)
            names = [base, base.replace(letter[0], family.twin, 1)] if family.twin and letter else [base]
            for name in (f"{PREFIX}{stem}{form}" for stem in names for form in family.forms):
                if name in sizes:
                    raise BadCatalogue(f"size {name} appears twice")
                sizes[name] = Size(name, int(figures[0]), figures[1], int(figures[2]) if len(figures) > 2 else 0)
    return sizes


def load(path: Path | None = None, tag: str = OWN) -> Catalogue:
    """The catalogue of a file, or the one that comes with the farm.

    Args:
        tag: of the farm's own images, which stands in docker names where the file says {tag}.

    Raises:
        BadCatalogue: no YAML, a member is missing, unknown or wrong.
        OSError: the file cannot be read.
    """
    try:
        return Catalogue(_File.model_validate(yaml.safe_load((path or DEFAULT).read_text("utf-8"))), tag)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadCatalogue(f"{path or DEFAULT}: {error}") from error
    except ValidationError as error:
        raise BadCatalogue(f"{path or DEFAULT}: {error}") from error


def _of_docker(tag: str, agent_sku: str) -> dict[str, Any]:
    name, _, version = tag.rpartition(":")
    return {
        "nodeAgentSKUId": agent_sku,
        "imageReference": {"publisher": DOCKER, "offer": name, "sku": version, "version": "latest"},
        "osType": "linux",
        "capabilities": ["DockerCompatible"],
        "verificationType": "unverified",
    }
