"""Other ways to restore a damaged image, for comparison with a generator.

A `Baseline` maps damaged values and their mask to images. `catalog` lists all of them and makes
one by its name; `training_set` holds what they learn from.
"""
