"""From documents to packed shards of token ids: filtered, deduplicated, split, tokenised."""

REVISION = 3
"""Raised when a change alters what prepare writes."""
LIBRARIES = ("numpy", "rensa", "scikit-learn", "sentencepiece", "tokenizers", "xxhash")
"""Distributions whose version decides the output."""
