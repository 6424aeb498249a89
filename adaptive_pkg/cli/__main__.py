"""`python -m adaptive_pkg.cli`."""

import sys

from adaptive_pkg.cli import main

sys.exit(main())
