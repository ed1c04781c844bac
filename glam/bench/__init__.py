"""Side-by-side benchmarks: ours against our own baselines and against a peer library. The top floor of glam."""
