"""Files: readers and writers, what a job is, and how it is recorded and repeated.

`reading` reads images and generators of any format, `masks` and `matrices` read what is observed,
`writing` writes images, `job` holds what a user asked for, `problem` reads a job's inputs, and
`record` keeps its results.
"""
