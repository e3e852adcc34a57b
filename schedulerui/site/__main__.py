"""``python -m schedulerui.site``: the whole bundled site in one command."""

from __future__ import annotations

import sys

from schedulerui.site.launcher import main

if __name__ == "__main__":
    sys.exit(main())
