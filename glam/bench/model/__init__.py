"""The model: layers, training steps, memory and generation, beside transformers."""
