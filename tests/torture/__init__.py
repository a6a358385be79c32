"""What becomes of a store when processes are killed, calls fail, bytes change, and many write.

`faults.cc` stands between a process and the system; `processes` starts fresh ones under it,
`workload` is what they do, `reading` what they see, and `oracle` says what they must see. The tests
run a sample with a printed seed; with TIDEMARK_TORTURE=1 (`make torture`) they run all of it.
"""
