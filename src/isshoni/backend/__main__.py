"""`python -m isshoni.backend`: the backend process."""

import sys

from isshoni.backend.server import main

sys.exit(main())
