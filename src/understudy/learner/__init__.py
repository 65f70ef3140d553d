"""Features -> weights: losses, kernels, candidates side by side, and learning on, row by row (docs/learner.md)."""
