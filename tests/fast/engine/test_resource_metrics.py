"""Totals that agents tell become the resource metrics of a pool (spec/autoscale.md, 5.2)."""

from orchestrator.engine.resources import Resources

SECOND = 1_000_000


def pulse(seconds, cpu_seconds=0.0, disk=0, **more):
    return {"d": disk, "s": {"t": seconds * SECOND, "cpu": cpu_seconds * SECOND, "cores": 2, **more}}


def test_metrics_are_means_per_node_over_what_came_since_the_last_sample():
    resources = Resources()
    for node, cpu in ((1, 0.0), (2, 5.0)):
        resources.take((node, 1), pulse(100, cpu, rb=1000, ni=7))
    resources.next_period()

    resources.take((1, 1), pulse(110, 3.0, disk=2_000_000_000, mem=30_000_000, rb=5000, wb=9, ni=7))
    resources.take((1, 1), pulse(130, 15.0, disk=4_000_000_000, mem=10_000_000, rb=7000, wb=9, ni=107))
    resources.take((2, 1), pulse(130, 50.0, disk=0, mem=20_000_000, rb=1000, wb=9, ni=7))

    assert resources.metrics([(1, 1), (2, 1), (3, 1)]) == {
        "$SampleNodeCount": 2,
        "$CPUPercent": (15 / 60 + 45 / 60) / 2,
        "$WallClockSeconds": 60,
        "$MemoryBytes": 15,
        "$DiskBytes": 2,
        "$DiskReadBytes": 3000,
        "$NetworkInBytes": 50,
    }


def test_a_node_that_says_nothing_for_a_period_is_not_counted_and_starts_anew():
    resources = Resources()
    resources.take((1, 1), pulse(100, 0))
    resources.next_period()

    assert resources.metrics([(1, 1)]) == {"$SampleNodeCount": 0}
    resources.next_period()

    resources.take((1, 1), pulse(200, 90))
    assert "$CPUPercent" not in resources.metrics([(1, 1)])
    resources.take((1, 1), pulse(210, 90))
    assert resources.metrics([(1, 1)])["$CPUPercent"] == 0


def test_totals_that_fall_and_shares_above_all_cores_are_bounded():
    resources = Resources()
    resources.take((1, 1), pulse(100, 50, rb=500))
    resources.take((1, 1), pulse(101, 70, rb=100))

    metrics = resources.metrics([(1, 1)])

    assert metrics["$CPUPercent"] == 1 and metrics["$DiskReadBytes"] == 0
