"""`python -m kelly_core.cli`: the `kelly` command without its script."""

from kelly_core.cli import main

main()
