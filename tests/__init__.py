"""One file for each module, and end-to-end runs of real commands in temporary clones."""
