"""Run the command line where its script is not on the path: `python -m rcex_ws.cli`."""

from rcex_ws.cli import main

main()
