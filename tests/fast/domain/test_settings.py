"""Periods that the service counts in minutes are settings, and have the service's values unless told otherwise."""

import os

from orchestrator.settings import Settings


def test_periods_are_the_services_but_for_samples(monkeypatch):
    for name in [name for name in os.environ if name.startswith("FARM_")]:
        monkeypatch.delenv(name)
    settings = Settings()
    assert (settings.min_recurrence, settings.usage_interval) == (60, 1800)
    assert (settings.min_resize_timeout, settings.min_autoscale_interval) == (300, 300)
    assert settings.sample_period == 30, "knowingly shorter"
