"""What every test shares: the hypothesis profiles. HYPOTHESIS_PROFILE=nightly searches for minutes, long for hours."""

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "default", max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile(
    "long", settings.get_profile("default"), max_examples=3000, stateful_step_count=120, print_blob=True
)
settings.register_profile("nightly", settings.get_profile("default"), max_examples=600, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))
