"""Files: readers and writers, what a job is, and how it is recorded and repeated.

`reading` opens files of any kind, `job` says what a user asked for, `problem` reads a job's inputs,
`record` keeps its results.
"""
