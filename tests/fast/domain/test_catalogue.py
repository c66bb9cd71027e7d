import pytest
import yaml

from orchestrator.domain import catalogue
from orchestrator.domain.catalogue import BadCatalogue, CatalogueError
from orchestrator.settings import Settings

FARM = catalogue.load()
UBUNTU = {"publisher": "canonical", "offer": "UBUNTUserver", "sku": "16.04-lts", "version": "latest"}


@pytest.mark.parametrize(
    ("name", "cores", "memory", "gpus"),
    [
        ("STANDARD_A1", 1, 1.75, 0),
        ("standard_a2m_v2", 2, 16, 0),
        ("Standard_D2s_v3", 2, 8, 0),
        ("Standard_D4ads_v5", 4, 16, 0),
        ("standard_e64_v3", 64, 432, 0),
        ("standard_e64s_v5", 64, 512, 0),
        ("standard_f72s_v2", 72, 144, 0),
        ("standard_h16mr", 16, 224, 0),
        ("standard_hb120rs_v3", 120, 448, 0),
        ("standard_nc24s_v3", 24, 448, 4),
        ("standard_ds1_v2", 1, 3.5, 0),
        ("standard_ds14", 16, 112, 0),
        ("standard_gs5", 32, 448, 0),
        ("farm_1c_0.5g", 1, 0.5, 0),
        ("FARM_64c_128g", 64, 128, 0),
    ],
)
def test_a_size_is_found_whatever_its_case_and_named_in_lower_case(name, cores, memory, gpus):
    size = FARM.size(name)
    assert (size.name, size.cores, size.memory_gib, size.gpus) == (name.lower(), cores, memory, gpus)


def test_a_size_says_how_much_a_node_may_use():
    small, large = FARM.size("farm_1c_2g"), FARM.size("standard_d96_v5")
    assert (small.max_slots, large.max_slots) == (4, 256)
    assert (small.memory_bytes, small.shm_bytes) == (2 * 2**30, 2**30)
    assert (small.processes, large.processes) == (2048, 512 * 96)


@pytest.mark.parametrize(
    "name", ["standard_a0", "ExtraSmall", "small", "standard_d2_v9", "farm_0c_1g", "farm_1c_0g", ""]
)
def test_an_unknown_size_is_refused_with_the_closest_one_and_the_free_form(name):
    with pytest.raises(CatalogueError) as refused:
        FARM.size(name)
    assert refused.value.field == "vmSize"
    assert "standard_" in refused.value.reason and "farm_<cores>c_<GiB>g" in refused.value.reason


def test_the_closest_size_to_a_slip_of_the_pen_is_the_one_that_was_meant():
    with pytest.raises(CatalogueError, match=r"closest known one is standard_d2_v3\b"):
        FARM.size("standard_d2v3")


def test_an_image_is_found_whatever_its_case_when_its_sku_pairs():
    image = FARM.image(UBUNTU, "Batch.Node.Ubuntu 16.04")
    assert (image.offer, image.docker, image.custom) == ("UbuntuServer", "", False)


@pytest.mark.parametrize(
    ("reference", "sku", "field", "words"),
    [
        (UBUNTU | {"sku": "4.10"}, "batch.node.ubuntu 16.04", "imageReference", "no such image"),
        ({}, "batch.node.ubuntu 16.04", "imageReference", "no such image"),
        (UBUNTU, "batch.node.debian 9", "nodeAgentSKUId", "batch.node.ubuntu 16.04"),
        (
            {"publisher": "MicrosoftWindowsServer", "offer": "WindowsServer", "sku": "2016-datacenter"},
            "batch.node.windows amd64",
            "imageReference",
            "Linux containers",
        ),
        ({"virtualMachineImageId": "x"}, "batch.node.windows amd64", "nodeAgentSKUId", "Linux"),
        ({"virtualMachineImageId": "x"}, "ubuntu", "nodeAgentSKUId", "batch.node"),
        ({"virtualMachineImageId": "Not A Reference"}, "batch.node.debian 9", "imageReference", "Docker reference"),
        (UBUNTU | {"virtualMachineImageId": "x"}, "batch.node.ubuntu 16.04", "imageReference", "excludes"),
    ],
)
def test_an_image_that_cannot_be_is_refused_naming_the_member(reference, sku, field, words):
    with pytest.raises(CatalogueError) as refused:
        FARM.image(reference, sku)
    assert refused.value.field == field and words in refused.value.reason


@pytest.mark.parametrize(
    "name", ["ubuntu", "ubuntu:22.04", "registry.example:5000/team/tools:v1", f"a/b@sha256:{'0' * 64}", "ghcr.io/x/y"]
)
def test_a_custom_image_is_a_docker_reference(name):
    assert FARM.image({"virtualMachineImageId": name}, "batch.node.el 9").docker == name


def test_resource_ids_are_looked_up_by_their_image_name(tmp_path):
    file = yaml.safe_load(catalogue.DEFAULT.read_text())
    file["managed"] = {"Tools": "registry.example/tools:3"}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(file))
    mine = catalogue.load(tmp_path / "mine.yaml")
    for name in ("/subscriptions/s/providers/x/images/tools", "/s/galleries/g/images/TOOLS/versions/1.2.3"):
        assert mine.image({"virtualMachineImageId": name}, "batch.node.el 9").docker == "registry.example/tools:3"
        unknown = FARM.image({"virtualMachineImageId": name}, "batch.node.el 9")
        assert unknown.docker == name, "accepted; its nodes become unusable with the reason"


def test_the_farms_own_images_have_the_tag_of_the_farm():
    hpc = {"publisher": "microsoft-dsvm", "offer": "ubuntu-hpc", "sku": "2204"}
    settings = Settings(image_tag="mine", agent_image="elsewhere/agent:1")
    mine = catalogue.load(tag=settings.image_tag)

    assert mine.image(hpc, "batch.node.ubuntu 22.04").docker == "nodefarm/node-mpi:mine"
    assert (settings.node_image, settings.agent_image) == ("nodefarm/node:mine", "elsewhere/agent:1")
    assert FARM.image(hpc, "batch.node.ubuntu 22.04").docker == "nodefarm/node-mpi:0.1.0"


def test_the_first_image_is_one_of_today_and_windows_is_listed_too():
    images = FARM.supported_images()
    assert images[0]["nodeAgentSKUId"] == "batch.node.ubuntu 20.04"
    assert {image["osType"] for image in images} == {"linux", "windows"}
    assert all(("DockerCompatible" in image["capabilities"]) == (image["osType"] == "linux") for image in images)
    assert len(images) == 39


def test_images_of_the_host_are_listed_last_and_named_by_what_was_listed():
    (found,) = FARM.supported_images(["localhost:5000/lab/tools:1.2"])[39:]
    assert found["imageReference"]["sku"] == "1.2"
    image = FARM.image(found["imageReference"], found["nodeAgentSKUId"])
    assert (image.docker, image.custom) == ("localhost:5000/lab/tools:1.2", True)
    with pytest.raises(catalogue.CatalogueError, match="imageReference"):
        FARM.image({"publisher": "docker", "offer": "A b", "sku": "1"}, "batch.node.el 9")


def test_the_skus_of_the_article_of_2017_have_their_verified_images():
    skus = {sku["id"]: sku for sku in FARM.node_agent_skus()}
    offers = {
        (image["publisher"], image["offer"]) for image in skus["batch.node.ubuntu 16.04"]["verifiedImageReferences"]
    }
    assert ("Canonical", "UbuntuServer") in offers
    assert skus["batch.node.windows amd64"]["osType"] == "windows"


def test_quotas_have_the_farms_defaults():
    assert (FARM.quotas.dedicated_cores, FARM.quotas.pools, FARM.quotas.application_references) == (20_000, 500, 10)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "valid"),
        ("[", "parsing"),
        ("images: []", "images"),
        ("images: [{publisher: p, offer: o, sku: s}]", "agent"),
        ("images: [{publisher: p, offer: o, sku: s, agent: batch.node.x, colour: red}]", "colour"),
        ("families: [{sizes: {a1: [1]}}]", "a1"),
        ("families: [{sizes: {a1: [0, 1]}}]", "a1"),
        ("families: [{sizes: {a1: [1.5, 1]}}]", "a1"),
        ("families: [{sizes: {a1: [1, 1]}}, {sizes: {a1: [2, 2]}}]", "twice"),
        ("quotas: {pools: 0}", "pools"),
    ],
)
def test_a_wrong_catalogue_says_what_is_wrong(tmp_path, text, words):
    rest = {
        "images": "images: [{publisher: p, offer: o, sku: s, agent: batch.node.x}]",
        "families": "families: [{sizes: {a1: [1, 1.75]}}]",
    }
    lines = [text] + [line for name, line in rest.items() if text and text != "[" and not text.startswith(name)]
    (tmp_path / "wrong.yaml").write_text("\n".join(lines))
    with pytest.raises(BadCatalogue, match=words):
        catalogue.load(tmp_path / "wrong.yaml")
