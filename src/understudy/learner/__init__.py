"""Features -> weights: losses, kernels, candidates side by side, and learning on, row by row (docs/learner.md).

`learner` learns, `rows` are what it learns from, `live` learns on. `scoring` and `losses` are all that a model needs to
answer, and load nothing of the others.
"""
