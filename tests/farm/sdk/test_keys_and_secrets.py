"""Two keys that are both valid until regenerated, and signatures that nobody gets to see."""

import json
import uuid
from urllib.parse import unquote

import pytest
from farm_support import RunningFarm, started_farm
from redis import Redis

SECRET = "sig="


@pytest.fixture
def own_farm():
    with started_farm() as farm:
        yield farm


def with_key(farm, key):
    return RunningFarm(farm.data_dir, farm.endpoint, farm.account, key, farm.redis_url, farm.process)


def test_both_keys_are_good_and_a_regenerated_one_is_dead_at_once(own_farm):
    farm = own_farm
    keys = json.loads(farm.cli("key", "show", "--json").stdout)
    first, second = (with_key(farm, keys[name]) for name in ("primary", "secondary"))
    assert keys["primary"] != keys["secondary"]
    assert [f.program("14.2.0", "key_14") for f in (first, second)] == [{"jobs": 0}] * 2

    new = first.cli("key", "regenerate", "secondary").stdout.strip()

    assert second.program("14.2.0", "key_14") == {"refused": [403, "AuthenticationFailed"]}
    assert first.program("14.2.0", "key_14") == {"jobs": 0}
    assert with_key(farm, new).program("14.2.0", "key_14") == {"jobs": 0}
    assert new not in keys.values()


def test_signatures_and_passwords_are_in_no_answer_no_log_and_not_in_redis(own_farm):
    farm, password = own_farm, f"pw-{uuid.uuid4().hex}"
    farm.cli("storage", "mb", "secret")
    url = farm.cli("storage", "url", "secret", "--perm", "rwcl").stdout.strip()
    foreign = f"{farm.endpoint}/far?sv=2021-12-02&{SECRET}{uuid.uuid4().hex}"
    signatures = [one.partition(SECRET)[2].partition("&")[0] for one in (url, foreign)]
    secrets = {*signatures, *map(unquote, signatures), password}
    files = [{"storageContainerUrl": url, "filePath": "in"}, {"httpUrl": url.replace("?", "/none?"), "filePath": "x"}]
    out = [{"filePattern": "*", "destination": {"container": {"containerUrl": url}},
            "uploadOptions": {"uploadCondition": "taskcompletion"}}]  # fmt: skip
    start = {"commandLine": "/bin/true", "resourceFiles": files[:1], "waitForSuccess": True}
    farm.add_pool("p", 1, startTask=start, userAccounts=[{"name": "ann", "password": password}])
    tasks = [
        {"id": "fine", "commandLine": "/bin/sh -c 'echo x > y'", "resourceFiles": files[:1], "outputFiles": out},
        {"id": "nofile", "commandLine": "/bin/true", "resourceFiles": files},
        {"id": "far", "commandLine": "/bin/true",
         "resourceFiles": [{"storageContainerUrl": foreign, "filePath": "f"}]},
    ]  # fmt: skip
    farm.add_job("j", "p", tasks)
    farm.cli("job", "wait", "j", check=False)

    said = [
        farm.cli(*words).stdout
        for words in (
            ("task", "show", "j", "fine"), ("task", "show", "j", "far", "--json"), ("task", "show", "j", "nofile"),
            ("task", "why", "j", "far"), ("pool", "show", "p", "--json"), ("job", "show", "j", "--json"),
            ("node", "list", "p", "--json"), ("logs",),
        )
    ]  # fmt: skip
    answers = [farm.raw("GET", path).text for path in ("/pools/p", "/jobs/j/tasks", "/pools/p/nodes", "/jobs/j")]
    logs = [p.read_text(errors="replace") for p in farm.data_dir.rglob("*") if p.suffix in (".log", ".out")]
    uploads = [p.read_text() for p in farm.data_dir.rglob("fileupload*.txt")]

    assert {t["id"]: t["state"] for t in farm.tasks("j")} == dict.fromkeys(("fine", "nofile", "far"), "completed")
    assert len(logs) >= 4
    assert uploads
    for text in (*said, *answers, *logs, *uploads, *everything_in(farm.redis_url)):
        assert not [secret for secret in secrets if secret in text]
    assert "/secret" in answers[1]  # the URL is shown, without what makes it work


def everything_in(url):
    """Every value in Redis as text, whatever its type; bytes as they are."""
    redis = Redis.from_url(url, encoding="latin-1", decode_responses=True)
    found = []
    for key in redis.scan_iter(count=500):
        match redis.type(key):
            case "string":
                found.append(redis.get(key))
            case "hash":
                found += [part for pair in redis.hgetall(key).items() for part in pair]
            case "list":
                found += redis.lrange(key, 0, -1)
            case "set":
                found += redis.smembers(key)
            case "zset":
                found += redis.zrange(key, 0, -1)
            case kind:
                raise AssertionError(f"{key} is a {kind}")
    assert len(found) > 50
    return found
