"""No deadline for property tests: the first call of a kernel compiles it."""

import os

from hypothesis import settings

settings.register_profile("random", deadline=None)
settings.register_profile("settled", deadline=None, derandomize=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "random"))
