"""Running trained models: engine, runtimes, results."""
