"""A node may publish anything on its channel of heartbeats; the listener must outlive it."""

import msgpack
from hypothesis import example, given
from hypothesis import strategies as st

from agent.contract import queues
from orchestrator.engine.heartbeats import Heartbeats
from orchestrator.engine.resources import MOST, Resources

VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**63), 2**63), st.floats(), st.text(max_size=5), st.binary()
)
SAMPLES = st.dictionaries(st.sampled_from(["t", "cpu", "cores", "mem", "rb", "ni", "x"]), VALUES)
PULSES = st.one_of(
    st.fixed_dictionaries({"s": st.one_of(VALUES, SAMPLES)}, optional={"d": VALUES}),
    st.dictionaries(st.text(max_size=2), VALUES),
    st.lists(VALUES),
)


@given(st.one_of(PULSES.map(msgpack.packb), st.binary(max_size=20)))
@example(msgpack.packb({"s": {"t": float("inf"), "cpu": float("nan")}}))
@example(b"\x92\x01")
def test_no_pulse_stops_the_listener(data):
    resources = Resources()
    heartbeats = Heartbeats(store=None, lost_after_s=10, resources=resources)

    heartbeats._take(queues.pulse("a", 1, 2), data)

    assert set(heartbeats._heard) == {(1, 2)}, "whatever it says, it lives"
    assert all(0 <= value <= MOST for value in resources.metrics([(1, 2)]).values())
