"""The command `python -m pipeline.sweep`."""

from pipeline.runtime.entry import leave
from pipeline.sweep.command import main

main()
leave()
