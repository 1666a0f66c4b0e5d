"""Piano rolls of 88 keys, frame by frame: the head `keys` of MelodyTransformer and the protocol `polymusic`."""
