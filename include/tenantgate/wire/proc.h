/* SPDX-License-Identifier: MIT */
/*
 * proc: a program run beside the loop: bytes in on its stdin, bytes out from its stdout and
 * stderr, each with a ceiling, and a deadline after which it is killed. It starts with no
 * environment but what it is given, in a process group of its own, with no descriptor but those
 * three (all others must be close-on-exec, as everything here is).
 *
 * An operation of a flow on its worker. A cancelled one is killed at once and reaped by the loop
 * when it has died. Children are waited for by pidfd (Linux 5.4): there is no SIGCHLD handler, and
 * no other part of the process that waits for children of its own is disturbed.
 */
#ifndef TENANTGATE_WIRE_PROC_H
#define TENANTGATE_WIRE_PROC_H

#include <stddef.h>
#include <stdint.h>

#include "tenantgate/base/buf.h"
#include "tenantgate/base/slice.h"
#include "tenantgate/loop/flow.h"

struct proc_conf {
	const char		*path;		/* absolute */
	const char *const	*argv;		/* NULL-ended, argv[0] included */
	uint64_t		 timeout_us;	/* wall clock */
	/* NULL-ended NAME=VALUE; NULL: empty. Unlike argv other users cannot see it (proc(5)). */
	const char *const	*envp;
	/* A descriptor that is its stdin in place of `input`, borrowed for the call; 0: none. */
	int			 input_file;
};

enum proc_end {
	PROC_EXITED,		/* code: exit status */
	PROC_SIGNALED,		/* code: the signal, not one of ours */
	PROC_TIMEOUT,		/* killed by us */
	PROC_OUT_LARGE,		/* wrote past out.max, killed by us */
	PROC_NOT_STARTED,	/* code: errno */
};

/* The caller inits both bufs with their ceilings and frees them, whatever the outcome. */
struct proc_result {
	struct buf	out;		/* past its ceiling: PROC_OUT_LARGE */
	struct buf	err;		/* past its ceiling: dropped */
	enum proc_end	end;
	int		code;
};

/* Wakes plainly; the outcome is in result->end. `conf` is borrowed for the call, `input` and
 * `result` until the wait is over. */
enum flow_rc	proc_run(struct flow *, const struct proc_conf *, struct slice input,
		    struct proc_result *) __attribute__((warn_unused_result));

#endif
