"""Every tolerance of the tests, each with its reason."""

KNOWN_COST = 0.01
"""Lowest costs are stated to three digits; float32 sums and a stop at 1e-3 add some."""

GRADIENT = 1e-6
"""Relative to the float64 gradient's norm: what float32 kernels are held to."""

FLOAT64 = 1e-10
"""Two float64 computations that only order their sums differently."""

SAME_SELECTION = 0.1
"""Costs nearer than this count as the same minimum."""

MANY_STEPS = 1e-6
"""A descent lets the rounding of its first steps grow, where the cost has kinks above all."""

SINGLE = 2e-5
"""The worst of many float32 results: some residuals nearly cancel, some units nearly switch."""
