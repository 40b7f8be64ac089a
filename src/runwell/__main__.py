"""``python -m runwell``."""

import sys

from runwell.cli.main import main

sys.exit(main())
