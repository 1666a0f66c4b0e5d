"""One module per runtime, each with `open_runner(path, contract, threads) -> Runner`."""
