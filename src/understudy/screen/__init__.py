"""What a person sees on a terminal: pure renderers from the documents that `--json` prints, and the progress of a run.

Colour marks a verdict, a doubt or the weight of a heat map's cell; every screen reads as well without it. `words` is
below all others; `tables` and `charts` show documents, `learned` what a run has made, `stages` a run at work. Each is
imported by its own name, so that a command loads no other.
"""
