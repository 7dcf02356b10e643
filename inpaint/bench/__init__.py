"""Speed of the backends on this machine; start at `inpaint.bench.bench.run_bench`."""
