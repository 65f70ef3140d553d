"""What all tests stand on.

Property tests have no deadline: the first call of a kernel compiles it. Ctrl-C works, for tests and all they start, as
in a terminal: what a shell runs in the background ignores it, and so would every child.
"""

import os
import signal

from hypothesis import settings

settings.register_profile("random", deadline=None, derandomize=False)  # a `CI` in the environment would say True
settings.register_profile("settled", deadline=None, derandomize=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "random"))

signal.signal(signal.SIGINT, signal.default_int_handler)
