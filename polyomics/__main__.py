"""``python -m polyomics``: the command line without its installed script."""

from __future__ import annotations

from polyomics.cli.main import main

if __name__ == "__main__":
    main()
