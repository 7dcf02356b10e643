"""A classifier of images, whose features tell samples of a generator from real images.

`config` holds its settings, `model` the layers, `files` reads and writes it, `training` trains it.
"""
