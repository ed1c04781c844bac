"""Energy: our meter beside codecarbon's, on the same seconds."""
