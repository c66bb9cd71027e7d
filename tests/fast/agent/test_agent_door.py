"""Frames of the door to the broker come together again, however the network cuts them."""

from hypothesis import given
from hypothesis import strategies as st

from agent.contract.door import Frames, frame

FRAMES = st.lists(st.tuples(st.integers(0, 3), st.binary(max_size=40)), max_size=8)


@given(FRAMES, st.lists(st.integers(1, 30), min_size=1, max_size=40))
def test_frames_survive_being_cut_anywhere(sent, cuts):
    stream = b"".join(frame(kind, data) for kind, data in sent)
    reader, got, at, turn = Frames(), [], 0, 0
    while at < len(stream):
        step = cuts[turn % len(cuts)]
        got += reader.feed(stream[at : at + step])
        at, turn = at + step, turn + 1
    assert got == sent
