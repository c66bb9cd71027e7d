"""A command that asks a farm something loads none of what a farm is made of: it answers at once."""

import subprocess
import sys

SLOW = ("docker", "redis", "pydantic", "cryptography", "fastapi", "botocore", "psutil")


def test_the_command_starts_without_the_libraries_of_the_farm():
    code = f"import sys, orchestrator.cli.app; print(*(name for name in {SLOW} if name in sys.modules))"

    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()

    assert loaded == []


def test_a_farm_of_processes_loads_nothing_of_docker():
    modules = "orchestrator.wiring, orchestrator.cli.farm, orchestrator.engine.__main__"
    code = f"import sys, {modules}; print('docker' in sys.modules)"

    seen = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()

    assert seen == ["False"]
