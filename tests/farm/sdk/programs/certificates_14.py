"""Certificates as a program for azure-batch 14 meets them: added, given to a pool, read by tasks, deleted."""

from behaving14 import (
    GIVEN,
    a_job,
    a_pool,
    batch,
    clean_up_and_finish,
    ended,
    idle_nodes,
    models,
    out,
    refusal,
    sh,
    user,
    wait,
)

SHOW = 'cd "$AZ_BATCH_CERTIFICATES_DIR" && stat -c "%n %a %u" . * && sha256sum *'
PFX, CER, START = GIVEN["pfx"], GIVEN["cer"], GIVEN["start"]


def add(one, form, **more):
    batch.certificate.add(models.CertificateAddParameter(
        thumbprint=one["thumbprint"], thumbprint_algorithm="sha1", data=one[form],
        certificate_format="cer" if form == "der" else "pfx", **more))  # fmt: skip


def reference(one, *visibility):
    return models.CertificateReference(
        thumbprint=one["thumbprint"], thumbprint_algorithm="sha1", visibility=list(visibility) or None
    )


def state(one):
    return batch.certificate.get("sha1", one["thumbprint"])


def delete_fails(one):
    batch.certificate.delete("sha1", one["thumbprint"])
    return wait(lambda: (found := state(one)).state == "deletefailed" and found)


add(PFX, "pfx", password=GIVEN["password"])
add(CER, "der")
add(START, "pfx")
twice = refusal(lambda: add(PFX, "pfx", password=GIVEN["password"]))
every = {one.thumbprint for one in batch.certificate.list(models.CertificateListOptions(filter="state eq 'active'"))}
listed = {one["thumbprint"] for one in (PFX, CER, START)} <= every
shown = state(PFX)
nobody = refusal(lambda: batch.certificate.get("sha1", "0" * 40))
unknown = refusal(lambda: a_pool(0, certificate_references=[models.CertificateReference(
    thumbprint="0" * 40, thumbprint_algorithm="sha1")]))  # fmt: skip

start_task = models.StartTask(command_line=f"/bin/sh -c '{SHOW}'", wait_for_success=True)
pool_id = a_pool(1, start_task=start_task, certificate_references=[
    reference(PFX), reference(CER, "task"), reference(START, "starttask", "remoteuser")])  # fmt: skip
(node,) = idle_nodes(pool_id, 1)
in_start = b"".join(batch.file.get_from_compute_node(pool_id, node.id, "startup/stdout.txt")).decode().split("\n")
on_node = {one.thumbprint: one.visibility for one in node.certificate_references}
on_pool = {one.thumbprint: one.visibility for one in batch.pool.get(pool_id).certificate_references}
job_id = a_job(
    pool_id, sh("shown", SHOW), sh("opened", f'cat "$AZ_BATCH_CERTIFICATES_DIR"/sha1-{PFX["thumbprint"]}.pfx.pw')
)
preparation = models.JobPreparationTask(command_line=f"/bin/sh -c '{SHOW}'")
prepared = a_job(pool_id, sh("first", 'cat "$AZ_BATCH_JOB_PREP_DIR"/stdout.txt'), job_preparation_task=preparation)
ended(job_id)
ended(prepared)
in_task, password = out(job_id, "shown").split("\n"), out(job_id, "opened")
in_preparation = out(prepared, "first").split("\n")
batch.task.add(job_id, sh("spy", f"cat $AZ_BATCH_NODE_ROOT_DIR/workitems/{job_id}/job-1/shown/certs/* || echo closed",
                          user_identity=user("task")))  # fmt: skip
ended(job_id, "spy")
spied = out(job_id, "spy")

# in use: deletion fails; the pool lets go at once, the node at its next boot
failed = delete_fails(CER)
error = failed.delete_certificate_error
in_use = [error.code, {(pair.name, pair.value) for pair in error.values} == {("Pool", pool_id), ("Node", node.id)}]
not_active = refusal(lambda: a_pool(0, certificate_references=[reference(CER)]))
batch.certificate.cancel_deletion("sha1", CER["thumbprint"])
cancelled = [state(CER).state, state(CER).previous_state, refusal(
    lambda: batch.certificate.cancel_deletion("sha1", CER["thumbprint"]))]  # fmt: skip
batch.pool.patch(pool_id, models.PoolPatchParameter(certificate_references=[reference(PFX, "starttask")]))
held = [pair.name for pair in delete_fails(CER).delete_certificate_error.values]
before = node.last_boot_time
batch.compute_node.reboot(pool_id, node.id)
wait(lambda: (n := batch.compute_node.get(pool_id, node.id)).state == "idle" and n.last_boot_time > before)
batch.certificate.delete("sha1", CER["thumbprint"])
wait(lambda: refusal(lambda: state(CER)) == [404, "CertificateNotFound"])
batch.task.add(job_id, sh("after", 'ls "$AZ_BATCH_CERTIFICATES_DIR"'))
ended(job_id, "after")
batch.pool.update_properties(pool_id, models.PoolUpdatePropertiesParameter(
    certificate_references=[], application_package_references=[], metadata=[]))  # fmt: skip
replaced = batch.pool.get(pool_id).certificate_references

auto = models.AutoPoolSpecification(pool_lifetime_option="job", pool=models.PoolSpecification(
    vm_size="standard_d8_v3", virtual_machine_configuration=batch.pool.get(pool_id).virtual_machine_configuration,
    target_dedicated_nodes=0, certificate_references=[reference(CER)]))  # fmt: skip
own = GIVEN["job"]
batch.job.add(models.JobAddParameter(id=own, pool_info=models.PoolInformation(auto_pool_specification=auto)))
no_pool = batch.job.get(own).execution_info.scheduling_error.code
batch.job.delete(own)

clean_up_and_finish(
    twice=twice, listed=listed, shown=[shown.state, shown.public_data, shown.previous_state], nobody=nobody,
    unknown=unknown,
    in_start=in_start, in_task=in_task, in_preparation=in_preparation, password=password, spied=spied,
    on_node=on_node, on_pool=on_pool, in_use=in_use, not_active=not_active, cancelled=cancelled, held=held,
    after=out(job_id, "after"), replaced=replaced, no_pool=no_pool,
)  # fmt: skip
