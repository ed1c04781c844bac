"""Commands of `glam`, one module a group; heavy imports happen when a command needs them."""
