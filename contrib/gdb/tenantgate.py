# SPDX-License-Identifier: MIT
"""gdb commands for tenantgate, for a live process and for a core.

    gdb -x contrib/gdb/tenantgate.py -p PID
    gdb -x contrib/gdb/tenantgate.py PROGRAM CORE
    (gdb) tg-flows              every flow that is alive, of all workers
    (gdb) tg-flows chat         only those of the kind "chat"
    (gdb) print *(struct chat *)0x62d00003c400      one of them; its address is in the table

Workers are found as the arguments of worker_run() and worker_thread() on their threads' stacks (the
optimiser keeps one of them); the rest is read by the names of the fields in src/loop/ and
include/tenantgate/loop/. When one of them is renamed the command fails and names it;
tests/live/gdb.test.mjs runs it.
"""
import time

import gdb

WORKER_MAGIC = 0x574F524B
FLOW_MAGIC = 0x464C4F57
LAG_EVERY_US = 100000  # worker_loop.c: how often a loop notes the time in lag_due_us


def field(value, *names):
    """value.name.name..., or an error that says which name is missing."""
    for name in names:
        kind = value.type.strip_typedefs()
        if kind.code == gdb.TYPE_CODE_PTR:
            value = value.dereference()
            kind = value.type.strip_typedefs()
        if name not in (f.name for f in kind.fields()):
            raise gdb.GdbError(f"tenantgate.py: {kind} has no field {name}: the script is older "
                               "or newer than the program.")
        value = value[name]
    return value


def text(pointer, absent="-"):
    return absent if int(pointer) == 0 else pointer.string(errors="replace")


def worker_of(thread):
    """The struct worker * whose loop the thread runs, or None."""
    arguments = {"worker_run": "w", "worker_thread": "arg"}
    seen = False
    thread.switch()
    frame = gdb.newest_frame()
    while frame is not None:
        if frame.name() in arguments:
            seen = True
            worker = frame.read_var(arguments[frame.name()])
            if not worker.is_optimized_out:
                return worker.cast(gdb.lookup_type("struct worker").pointer())
        frame = frame.older()
    if seen:
        raise gdb.GdbError("tenantgate.py: the compiler has not kept worker_run()'s argument: "
                           "build with CFLAGS='-O1 -g'.")
    return None


def workers():
    here = gdb.selected_thread()
    if here is None:
        raise gdb.GdbError("tenantgate.py: there is no process and no core: attach to one, or "
                           "name PROGRAM and CORE.")
    frame = gdb.selected_frame()
    try:
        found = [worker_of(t) for t in gdb.selected_inferior().threads()]
    finally:
        here.switch()
        frame.select()
    found = [w for w in found if w is not None]
    if not found:
        raise gdb.GdbError("tenantgate.py: no thread is in worker_run(): is this tenantgate, and "
                           "are its symbols there?")
    for w in found:
        if int(field(w, "magic")) != WORKER_MAGIC:
            raise gdb.GdbError(f"tenantgate.py: worker {w} is damaged: its magic number is wrong.")
    return sorted(found, key=lambda w: int(field(w, "index")))


def now_us(all_workers):
    """The process's monotonic clock: in a core as of the newest note of a loop's timer."""
    if "core dump file" not in gdb.execute("info target", to_string=True):
        return time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    return max(int(field(w, "lag_due_us")) for w in all_workers) - LAG_EVERY_US


def flows(worker):
    """A worker's live flows, the oldest first."""
    left = int(field(worker, "flows", "count"))
    flow = field(worker, "flows", "live", "tqh_first")
    while int(flow) != 0:
        if left == 0 or int(field(flow, "magic")) != FLOW_MAGIC:
            raise gdb.GdbError(f"tenantgate.py: the list of live flows is damaged at {flow}.")
        yield flow
        left -= 1
        flow = field(flow, "live_link", "tqe_next")


def row(worker, flow, now):
    kind = field(flow, "kind")
    step = field(kind, "steps")[int(field(flow, "step"))]
    age_ms = max(0, now - int(field(flow, "began_us"))) // 1000
    step_ms = max(0, now - int(field(flow, "step_began_us"))) // 1000
    return (str(int(field(worker, "index"))), text(field(flow, "request_id")),
            text(field(kind, "name")), text(field(step, "name")),
            str(field(flow, "state")).replace("FLOW_", "").lower(), str(age_ms), str(step_ms),
            hex(int(flow)))


class Flows(gdb.Command):
    """tg-flows [KIND]: all live flows of all workers: worker, request id, kind, step, state, age
and time in the step in ms (in a core: to a tenth of a second), address."""

    HEAD = ("worker", "request id", "kind", "step", "state", "age ms", "step ms", "flow")

    def __init__(self):
        super().__init__("tg-flows", gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        everyone = workers()
        now = now_us(everyone)
        rows = [row(w, f, now) for w in everyone for f in flows(w)]
        rows = [r for r in rows if argument in ("", r[2])]
        table = [self.HEAD] + rows
        widths = [max(len(r[i]) for r in table) for i in range(len(self.HEAD))]
        for r in table:
            print("  ".join(cell.ljust(width) for cell, width in zip(r, widths)).rstrip())
        print(f"{len(rows)} flows on {len(everyone)} workers")


Flows()
