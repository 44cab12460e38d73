"""Hypothesis profiles: the same examples in every run unless asked otherwise."""

import os

from hypothesis import HealthCheck, settings

_COMMON = {
    "deadline": None,  # the first call of a symbolic step fills SymPy's caches
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large],
}
settings.register_profile("ci", derandomize=True, max_examples=60, database=None, **_COMMON)
settings.register_profile("dev", max_examples=60, **_COMMON)
settings.register_profile("nightly", max_examples=2000, **_COMMON)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))
