"""Any node may publish on the channel of heartbeats; the listener must outlive what it publishes."""

import msgpack
from hypothesis import example, given
from hypothesis import strategies as st

from orchestrator.engine.heartbeats import Heartbeats

VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**63), 2**63), st.floats(), st.text(max_size=5), st.binary()
)
PULSES = st.one_of(
    st.fixed_dictionaries({"n": VALUES, "b": VALUES}), st.dictionaries(st.text(max_size=2), VALUES), st.lists(VALUES)
)


@given(st.one_of(PULSES.map(msgpack.packb), st.binary(max_size=20)))
@example(msgpack.packb({"n": float("inf"), "b": 1}))
@example(msgpack.packb({"n": 1, "b": float("nan")}))
@example(b"\x92\x01")
def test_no_pulse_stops_the_listener(data):
    heartbeats = Heartbeats(store=None, lost_after_s=10)

    heartbeats._take(data)

    assert all(isinstance(part, int) for key in heartbeats._heard for part in key)
