"""Where finance and machinery meet: stages wire pure functions to the engine.

A stage imports what it computes with inside ``run``: planning then loads no numerical library, and
the code digest follows such imports all the same.
"""
