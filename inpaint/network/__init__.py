"""Convolutional networks that fill in lost pixels, as an alternative to searching a generator.

Such a network sees only the observed pixels and their mask. It has no latent space, gives one
image and cannot tell what else would fit. Unlike a generator of dense layers, it continues strokes
that end where the lost part begins.

`training` trains a network, `config` holds the settings, `files` reads and writes networks.
"""
