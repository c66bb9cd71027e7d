"""The engine: takes what nodes report, fires what is due, notices who is silent.

Level-triggered: each duty compares what is with what should be, so a restart
needs no recovery code, and any number of engines may run.
"""
