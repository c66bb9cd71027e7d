"""farm up and farm doctor with a bucket for files."""

import subprocess
import sys

import pytest

from orchestrator.cli import checks

NOBODY = "http://127.0.0.1:9"


@pytest.mark.parametrize(
    ("endpoint", "key", "verdict", "says"),
    [
        ("", "", "ok", "answers"),
        (NOBODY, "", "bad", "the object store does not answer"),
        ("", "wrong", "bad", "the object store refuses the farm"),
    ],
)
def test_doctor_tries_the_object_store(minio, monkeypatch, endpoint, key, verdict, says):
    monkeypatch.setenv("FARM_STORAGE", "s3://doctors-bucket")
    monkeypatch.setenv("FARM_S3_ENDPOINT", endpoint or minio.endpoint)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key or minio.secret_key)
    found = checks.storage()
    assert (found.verdict, says in found.says) == (verdict, True), found
    assert minio.secret_key not in str(found)


@pytest.mark.parametrize(
    ("storage", "says"),
    [
        ("s3://files", "cannot use s3://files for files: the object store does not answer"),
        ("s3://key:secret@files", "s3://BUCKET[/PREFIX] and no more"),
        ("nfs://files", "s3://BUCKET[/PREFIX] is wanted"),
    ],
)
def test_a_farm_does_not_start_on_a_store_that_cannot_be_used_and_says_why(tmp_path, storage, says):
    command = [sys.executable, "-m", "orchestrator.cli", "up", "--data-dir", str(tmp_path), "--port", "0"]
    started = subprocess.run(
        [*command, "--storage", storage, "--s3-endpoint", NOBODY],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert started.returncode != 0
    assert says in started.stderr
    assert "key:secret" not in started.stderr
