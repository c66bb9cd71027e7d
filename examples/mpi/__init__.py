"""MPI over several nodes: programs in C, and the multi-instance tasks that run them."""
