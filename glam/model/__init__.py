"""The model: attention, feed-forward, routing, experts, and the likelihood of text under it."""
