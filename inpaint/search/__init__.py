"""The search of the latent space: objective, starts, solvers, backends, modes, verdict."""
