"""How well methods restore images that they never saw: a generator's estimates and the baselines.

`inputs` reads what an evaluation needs, `evaluation` runs the methods, `report` sums them up.
"""
