"""The report of a result: an HTML page for readers who know nothing of the pipeline. May import
runtime, config, compose, dataset, evaluation, pages."""
