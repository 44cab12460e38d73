"""Which runs take everything: ``HYPOTHESIS_PROFILE=nightly``."""

import os

NIGHTLY = os.environ.get("HYPOTHESIS_PROFILE") == "nightly"
