"""From documents to packed shards of token ids: filtered, deduplicated, split, tokenised."""

REVISION = 1
"""Raised when a change alters what prepare writes."""
LIBRARIES = ("numpy", "rensa", "scikit-learn", "tokenizers", "xxhash")
"""Distributions whose version decides the output."""
