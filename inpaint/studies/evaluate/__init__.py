"""How well methods restore images that they never saw: a generator's and the baselines.

`trial` says what is asked for, `estimates` and `inpaint.studies.baselines` hold the methods,
`evaluation` runs them, `report` makes tables and pictures of it.
"""
