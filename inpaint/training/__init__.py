"""Training of generators: `loop` trains one, `config` holds the settings, `data` reads images."""
