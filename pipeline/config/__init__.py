"""The sections of the configuration that stages compute with, and reading them from
data/config.yaml. May import runtime."""
