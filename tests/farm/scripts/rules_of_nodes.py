"""What happens to nodes in random histories, and what their agents say."""

import json

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from tests.farm.scripts.histories import DRAINS, ENDS, MOST_NODES, OPTIONS, WAYS_DOWN, Ground
from tests.farm.scripts.model_facts import Task
from tests.farm.scripts.model_nodes import ON_ITS_WAY
from tests.farm.scripts.model_scheduling import PATIENCE


class NodeRules(Ground):
    """Agents, users, workers, and the end of a node."""

    @precondition(lambda self: len(self.model.nodes) < MOST_NODES and self.model.pools)
    @rule(data=st.data())
    def add_a_node(self, data):
        self.both.new_node(data.draw(st.sampled_from(sorted(self.model.pools))))
        self.after()

    @precondition(lambda self: any(node.held for node in self.model.nodes.values()))
    @rule(data=st.data(), ends=st.lists(st.sampled_from(ENDS), min_size=3, max_size=6))
    def many_attempts_end(self, data, ends):
        self.attempts_end(data, ends)

    @precondition(lambda self: any(node.held for node in self.model.nodes.values()))
    @rule(data=st.data(), ends=st.lists(st.sampled_from(ENDS), min_size=1, max_size=2))
    def some_attempts_end(self, data, ends):
        self.attempts_end(data, ends)

    def attempts_end(self, data, ends):
        node = data.draw(st.sampled_from([node for node in self.model.nodes.values() if node.held]), label="node")
        held = sorted(node.held)
        items = []
        for exit_code, fail in ends:
            job, task, attempt = data.draw(st.sampled_from(held), label="attempt")
            stats = [0] * 7 + [data.draw(st.sampled_from([0, 500, 500, 9000, 50_000]), label="took")]
            items.append(["end", job, task, attempt, 5, exit_code, fail, stats])
        if len(ends) == 5:
            items.append(["bad", "DiskFull", "no space"])
        self.both.report(node, *items)
        self.after()

    @precondition(lambda self: any(node.held for node in self.model.nodes.values()))
    @rule(data=st.data(), ends=st.integers(1, 4), told=st.booleans())
    def a_node_goes_through_short_tasks(self, data, ends, told):
        """What waits there begins as slots become free; sometimes that word comes later."""
        node = data.draw(st.sampled_from([node for node in self.model.nodes.values() if node.held]), label="node")
        over = [held for held, hold in sorted(node.held.items()) if not hold.ahead][:ends]
        items = [["end", *held, 5, 0, None, [0] * 7 + [500]] for held in over]
        self.both.report(node, *items, ["begun", self.next_ones(node, set(over)) if told else []])
        self.after()

    def next_ones(self, node, over):
        """The attempts that can begin once these are over."""
        free = node.slots - sum(h.slots for name, h in node.held.items() if not h.ahead and name not in over)
        begun = []
        for name, hold in sorted(node.held.items()):
            if hold.ahead and hold.slots <= free:
                begun.append(list(name))
                free -= hold.slots
        return begun

    @precondition(lambda self: any(node.awaited for node in self.model.nodes.values()))
    @rule(data=st.data(), late=st.booleans(), crossed=st.booleans())
    def a_node_gives_back_what_it_has_not_started(self, data, late, crossed):
        """Asked or by itself; an attempt may have begun before the question came."""
        node = data.draw(st.sampled_from([node for node in self.model.nodes.values() if node.awaited]), label="node")
        begun = self.next_ones(node, set()) if crossed else []
        rest = [list(name) for name, hold in sorted(node.held.items()) if hold.ahead and list(name) not in begun]
        self.both.report(node, ["begun", begun], ["unstarted", rest, int(late)])
        self.after()

    @precondition(lambda self: self.model.nodes and self.some_task())
    @rule(data=st.data(), attempt=st.integers(0, 3), kind=st.sampled_from(["end", "back"]))
    def a_node_speaks_of_an_attempt_that_is_not_its_own(self, data, attempt, kind):
        node, (job, task) = self.a_node(data), self.a_task(data)
        if (job.number, task.number, attempt) not in node.held and node.boot:
            rest = [5, 0, None, []] if kind == "end" else ["why not"]
            self.both.report(node, [kind, job.number, task.number, attempt, *rest])
            self.after()

    @precondition(lambda self: any(node.held for node in self.model.nodes.values()))
    @rule(data=st.data())
    def a_node_gives_an_attempt_back(self, data):
        node = data.draw(st.sampled_from([node for node in self.model.nodes.values() if node.held]), label="node")
        self.both.report(node, ["back", *data.draw(st.sampled_from(sorted(node.held))), "its disk is full"])
        self.after()

    @precondition(lambda self: not self.edits and any(node.boot for node in self.model.nodes.values()))
    @rule(data=st.data(), behind=st.integers(0, 2))
    def a_node_tells_what_it_holds(self, data, behind):
        node = data.draw(st.sampled_from([node for node in self.model.nodes.values() if node.boot]), label="node")
        held = {name: hold for name, hold in sorted(node.held.items()) if data.draw(st.booleans(), label="kept")}
        kept = [[*name, int(hold.ahead)] for name, hold in held.items() if not hold.ahead]
        seq = max(0, node.seq - behind)
        stays = [hold for name, hold in node.held.items() if name in held or hold.seq > seq]
        free = node.slots - sum(hold.slots for hold in stays if not hold.ahead)
        for name, hold in held.items():
            if hold.ahead:
                began = hold.slots <= free and data.draw(st.booleans(), label="began")
                free -= hold.slots if began else 0
                kept.append([*name, int(not began)])
        self.both.report(node, ["hold", seq, kept])
        self.after()

    @precondition(lambda self: self.pending("prepared") or self.pending("released"))
    @rule(data=st.data(), result=st.sampled_from(["success", "success", "failure", "running"]))
    def a_preparation_or_release_ends(self, data, result):
        pending = [("prep", *one) for one in self.pending("prepared")]
        pending += [("release", *one) for one in self.pending("released")]
        kind, job, node = data.draw(st.sampled_from(pending), label="on")
        info = {"state": "running"} if result == "running" else {"state": "completed", "result": result}
        self.both.report(node, [kind, job.number, json.dumps(info)])
        self.after()

    def pending(self, kind):
        """Jobs and nodes where that was asked for and has not ended."""
        nodes = self.model.nodes
        return [
            (job, nodes[number])
            for job in self.model.jobs.values()
            for number, done in sorted(getattr(job, kind).items())
            if not done.result and number in nodes and nodes[number].boot == done.boot
        ]

    @precondition(lambda self: self.model.nodes)
    @rule(data=st.data(), sure=st.integers(0, 3), what=st.sampled_from(WAYS_DOWN))
    def a_node_goes_down(self, data, sure, what):
        node = self.a_node(data)
        match what if sure == 3 else "stays":
            case "stays":
                return
            case "bad":
                self.both.report(node, ["bad", "DiskFull", "no space"])
            case "drain":
                to = data.draw(st.sampled_from(DRAINS), label="to")
                self.both.drain(node, to, data.draw(st.sampled_from(OPTIONS), label="option"))
            case "forget":
                self.both.leave(node)
                self.both.compare()
                self.both.forget(node)
            case _:
                getattr(self.both, what)(node)
        self.after()

    @precondition(lambda self: self.model.nodes)
    @rule(data=st.data(), to=st.sampled_from(["disabled", "disabled", "enabled"]), option=st.sampled_from(OPTIONS[:3]))
    def a_node_is_taken_out_of_scheduling_or_put_back(self, data, to, option):
        self.both.switch(self.a_node(data), to, option)
        self.after()

    @precondition(lambda self: self.model.nodes)
    @rule(data=st.data(), sure=st.integers(0, 2), option=st.sampled_from(OPTIONS))
    def chosen_nodes_are_removed(self, data, sure, option):
        first = self.a_node(data)
        if sure == 2:
            self.both.settle(first.pool)
        others = [node for node in self.model.nodes.values() if data.draw(st.booleans(), label="too")]
        self.both.remove(first.pool, [first, *others], option)
        self.after()

    @precondition(lambda self: any(node.state in ON_ITS_WAY or node.data for node in self.model.nodes.values()))
    @rule(data=st.data(), what=st.sampled_from(["bare", "boot", "stop", "start", "leave"]))
    def a_node_on_its_way_goes_on(self, data, what):
        going = [n for n in self.model.nodes.values() if n.state in (*ON_ITS_WAY, "deallocated") or n.data]
        node = data.draw(st.sampled_from(going), label="node")
        if what == "bare":
            self.both.report(node, ["bare"])
        else:
            getattr(self.both, what)(node)
        self.after()

    @precondition(lambda self: any(node.state in ("starting", "unknown") for node in self.model.nodes.values()))
    @rule(data=st.data())
    def a_node_comes_up(self, data):
        waiting = [node for node in self.model.nodes.values() if node.state in ("starting", "unknown")]
        self.both.report(data.draw(st.sampled_from(waiting), label="node"), ["up", {"version": "t"}], ["ready"])
        self.after()

    @precondition(lambda self: any(turns.claim for turns in self.model.queues.values()))
    @rule(data=st.data(), what=st.sampled_from(["wait", "wait", "delete", "terminate", "priority", "other"]))
    def something_happens_to_a_claim(self, data, what):
        """Reservations are rare; this looks for what becomes of them."""
        claims = [turns.claim for turns in self.model.queues.values() if turns.claim]
        claim = data.draw(st.sampled_from(claims), label="claim")
        job = self.model.jobs.get(claim.job)
        task = job.tasks.get(claim.task) if job else None
        if what == "wait":
            self.time_passes_and_the_engine_looks(PATIENCE)
        elif job and task and what in ("delete", "terminate"):
            getattr(self.both, what)(job, task)
        elif job and what == "priority":
            self.both.update_job(job, priority=-5)
        elif what == "other" and self.model.jobs:
            other = self.a_job(data)
            self.both.update_job(other, priority=5)
            self.both.add_tasks(other, [(Task(0, 0, "wide", 3), [], []), (Task(0, 0, "narrow"), [], [])])
        self.after()
