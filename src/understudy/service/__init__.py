"""Amazon ML's 28 operations as typed functions over the catalog; the wire is `server.amazon`'s, computing is `work`'s.

`operations` is the one table of them. `shapes` says what a request holds, `faults` what can be wrong with it, and
`context` what a function is given beside its request.
"""
