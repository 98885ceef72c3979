"""From a raw table to prepared parts: features, split, checks, fitted encoding and profile. May
import runtime, config, dataset, pages, schema, tables."""
