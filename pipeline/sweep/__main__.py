"""The command `python -m pipeline.sweep`."""

from pipeline.runtime.entry import leave, run
from pipeline.sweep.command import main

run(main)
leave()
