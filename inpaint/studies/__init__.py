"""Studies: many restorations together, and the baselines that they are compared with."""
