"""Files in and out: from URLs and containers, to containers, under conditions and names."""

from behaving14 import (
    GIVEN,
    a_job,
    a_pool,
    a_task,
    batch,
    clean_up_and_finish,
    details,
    ended,
    models,
    out,
    outcome,
    sh,
)  # fmt: skip

MIB = 1 << 20


def upload(pattern, path=None, condition="taskcompletion", url=GIVEN["results"], headers=None):
    return models.OutputFile(
        file_pattern=pattern,
        destination=models.OutputFileDestination(
            container=models.OutputFileBlobContainerDestination(
                container_url=url,
                path=path,
                upload_headers=[models.HttpHeader(name=name, value=value) for name, value in (headers or {}).items()],
            )
        ),
        upload_options=models.OutputFileUploadOptions(upload_condition=condition),
    )


def at(path, **source):
    return models.ResourceFile(file_path=path, **source)


def conditions(name):
    return [
        upload("*.txt", f"{name}/{condition}", condition)
        for condition in ("tasksuccess", "taskfailure", "taskcompletion")
    ]


LIST = "find . -type f | sort | while read f; do echo $f $(cat $f); done"
TREE = (
    "mkdir -p a/b .hidden; for f in one.txt two.txt three.log a/four.txt a/b/five.txt .six.txt .hidden/seven.txt "
    "'odd[1].txt'; do echo $f > $f; done; dd if=/dev/zero of=/dev/null count=1 2>/dev/null"
)
pool_id = a_pool(1, slots=8)
job_id = a_job(
    pool_id,
    sh(
        "url",
        LIST + "; stat -c %a sub/dir/in.txt plain.txt",
        resource_files=[
            at("sub/dir/in.txt", http_url=GIVEN["file"], file_mode="0640"),
            at("plain.txt", http_url=GIVEN["file"]),
        ],
    ),
    sh(
        "container",
        LIST,
        resource_files=[
            at(None, storage_container_url=GIVEN["inputs"], blob_prefix="set/"),
            at("below", storage_container_url=GIVEN["inputs"], blob_prefix="set/a"),
        ],
    ),
    sh(
        "auto",
        LIST,
        resource_files=[
            models.ResourceFile(auto_storage_container_name="inputs-14", blob_prefix="other", file_path="x")
        ],
    ),
    sh(
        "foreign",
        LIST + "; echo back > answer.txt",
        resource_files=[at("far", storage_container_url=GIVEN["foreign"], blob_prefix="deep/")],
        output_files=[upload("answer.txt", "from/farm.txt", url=GIVEN["foreign"])],
    ),
    sh(
        "globs",
        TREE,
        output_files=[
            upload("*.txt", "star"),
            upload("**/*.txt", "deep"),
            upload("?ne.txt"),
            upload("[tx]*", "class"),
            upload("odd[[]1].txt", "escaped"),
            upload("three.log", "renamed.log", headers={"x-ms-blob-content-type": "text/x-log"}),
            upload("../stdout.txt", "logs/out"),
            upload("$AZ_BATCH_TASK_DIR/stderr.txt", "logs/$AZ_BATCH_TASK_ID"),
            upload("nothing-*.such"),
            upload("a/**/*", "tree"),
        ],
    ),
    sh("good", "echo x > r.txt", output_files=conditions("good")),
    sh("bad", "echo x > r.txt; exit 5", output_files=conditions("bad")),
    a_task("neverran", "no-such-program", output_files=conditions("neverran")),
    sh("refused", "echo x > r.txt", output_files=[upload("r.txt", url=GIVEN["readonly"])]),
    sh("nowhere", "echo x > r.txt; exit 4", output_files=[upload("r.txt", url=GIVEN["nowhere"])]),
    sh("foreignrefused", "echo x > r.txt", output_files=[upload("r.txt", url=GIVEN["foreign_readonly"])]),
    sh("foreignnowhere", "echo x > r.txt", output_files=[upload("r.txt", url=GIVEN["foreign_nowhere"])]),
    sh(
        "big",
        f"test $(stat -c %s in) = {200 * MIB} && mv in out",
        resource_files=[at("in", http_url=GIVEN["big"])],
        output_files=[upload("out", "big.bin")],
    ),
)
tasks = {task.id: task for task in ended(job_id, seconds=90)}

# Where tools that follow the service's file conventions look: job-{id}/{task}/$TaskOutput and so on.
kept = GIVEN["kept"]
batch.job.add(models.JobAddParameter(id=kept, pool_info=models.PoolInformation(pool_id=pool_id)))
draw = "mkdir -p out/small; echo 1 > out/a.png; echo 2 > out/small/a.png; echo said"
batch.task.add(kept, sh("frame-1", draw, output_files=[
    upload("out/**/*", "frame-1/$TaskOutput", url=GIVEN["kept_url"]),
    upload("out/small/a.png", "frame-1/$TaskPreview/a.png", url=GIVEN["kept_url"]),
    upload("../std*.txt", "frame-1/$TaskLog", url=GIVEN["kept_url"]),
]))  # fmt: skip
kept_outcome = outcome(ended(kept, "frame-1"))
batch.job.delete(kept)

clean_up_and_finish(
    outcomes={task_id: outcome(task) for task_id, task in tasks.items()},
    listed={task_id: out(job_id, task_id).splitlines() for task_id in ("url", "container", "auto", "foreign")},
    logs=[out(job_id, "globs", "fileuploadout.txt"), out(job_id, "refused", "fileuploaderr.txt")],
    names=sorted(f.name for f in batch.file.list_from_task(job_id, "neverran") if not f.is_directory),
    refused=details(tasks["refused"]),
    kept=kept_outcome,
)
