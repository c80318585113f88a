"""What the commands do, one module each: they put the objects of `assembly` to work, and decide nothing else."""
