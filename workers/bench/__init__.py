"""The benchmark of training as it is run: the loop, Ray, checkpoints, resuming, and a peer's trainer beside them."""
