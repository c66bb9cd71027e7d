"""Where a bucket is: what a setting may say."""

import pytest

from orchestrator.storage.bucket import Bucket, Place


def test_a_place_is_a_bucket_with_or_without_a_prefix():
    assert Place.parse("s3://files") == Place("files")
    place = Place.parse("s3://files/a/b/", "http://minio:9000", region="eu-west-1")
    assert (place.bucket, place.prefix, place.region) == ("files", "a/b/", "eu-west-1")
    assert place.public_endpoint == "http://minio:9000"


@pytest.mark.parametrize(
    "url", ["files", "http://files", "s3:///x", "s3://key:secret@files", "s3://files?secret=1", "s3://"]
)
def test_what_is_no_place_is_refused_and_credentials_are_not_repeated(url):
    with pytest.raises(ValueError, match="s3://BUCKET") as refused:
        Place.parse(url)
    assert "secret" not in str(refused.value)


def test_an_endpoint_is_a_url():
    with pytest.raises(ValueError, match="s3_endpoint: 'minio:9000' is not an http or https URL"):
        Place.parse("s3://files", "minio:9000")


def test_urls_are_signed_for_the_address_that_nodes_know(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    bucket = Bucket(Place.parse("s3://files/p", "http://inside:9000", "https://outside"), "farm")
    for url in (bucket.signed_get("1/ab", 60), bucket.signed_part("1/ab", "id", 3, 60)):
        assert url.startswith("https://outside/files/p/farm/1/ab?")
        assert "X-Amz-Expires=60" in url
        assert "secret" not in url
    bucket.close()
