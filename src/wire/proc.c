/* SPDX-License-Identifier: MIT */
/*
 * proc: a child process on the loop.
 *
 *	  input --socket, or a file--> [child] --pipe--> out, err
 *	                       |
 *	       pidfd readable: it has ended; what the pipes still hold is read, the flow is woken
 *
 *	[running] --deadline, out.max--> killed, outcome kept --+
 *	    |                                                   v
 *	    +---------------- it ends by itself -----------> [ended]: reaped, flow woken, then freed
 *	    |                                                   ^
 *	    +-- flow's cancel: killed, flow forgotten ----------+  (nobody to wake)
 *
 * What always holds:
 *  - Only the pidfd's event ends a proc; so each is reaped exactly once, and none is freed while
 *    its process lives. A pidfd also cannot come to mean another process, as a pid can.
 *  - One still dying when its worker ends stays on the list of children (a leak checker finds it
 *    there), and is adopted by init at our exit.
 *  - stdin is a socket and no pipe: writing to a pipe whose reader has gone raises SIGPIPE, send()
 *    with MSG_NOSIGNAL does not.
 */
#define _GNU_SOURCE /* pipe2, pidfd_open */
#include "tenantgate/wire/proc.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tenantgate/base/alloc.h"
#include "tenantgate/loop/timer.h"
#include "wire/proc_spawn.h"

/* In the order of the child's descriptors 0, 1, 2. */
enum { STDIN, STDOUT, STDERR, ENDS = PROC_ENDS };

struct proc {
	struct flow *flow;	    /* borrowed; NULL once cancelled */
	struct worker *worker;	    /* borrowed */
	struct proc_result *result; /* borrowed, valid while flow is */
	struct slice input;	    /* borrowed: what is still to be sent */
	int fds[ENDS];		    /* owned: our ends; -1 when closed */
	struct event *events[ENDS]; /* owned */
	int pidfd;		    /* owned; readable when the child has ended */
	struct event *exit_event;   /* owned */
	struct timer deadline;	    /* conf.timeout_us */
	enum proc_end outcome;	    /* PROC_EXITED until we kill it: then why */
	struct task task;	    /* to be freed at a safe point */
	LIST_ENTRY(proc) link;
};

/* All workers' children; nothing but the list is under the lock. */
static pthread_mutex_t children_lock = PTHREAD_MUTEX_INITIALIZER;
static LIST_HEAD(, proc) children = LIST_HEAD_INITIALIZER(children);

/* ---- ends ---- */

static void
close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void
proc_close_end(struct proc *p, int end)
{
	if (p->events[end] != NULL)
		event_free(p->events[end]);
	p->events[end] = NULL;
	close_fd(&p->fds[end]);
}

/* Run as a task at a safe point, for the proc's events must not be freed from within one. */
static void
proc_free(void *arg)
{
	struct proc *p = arg;

	for (int i = 0; i < ENDS; i++)
		proc_close_end(p, i);
	if (p->exit_event != NULL)
		event_free(p->exit_event);
	close_fd(&p->pidfd);
	timer_free(&p->deadline);
	pthread_mutex_lock(&children_lock);
	LIST_REMOVE(p, link);
	pthread_mutex_unlock(&children_lock);
	free(p);
}

/* SIGKILL: what reads hostile input is not asked to end. The first reason is kept. Harmless when
 * the child has ended already (ESRCH). */
static void
proc_kill(struct proc *p, enum proc_end why)
{
	if (p->outcome == PROC_EXITED)
		p->outcome = why;
	pidfd_send_signal(p->pidfd, SIGKILL, NULL, 0);
}

/* ---- bytes ---- */

/* Of a read() or send(): its end, or an error that will not go away. */
static bool
is_end_of_stream(ssize_t n)
{
	return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
}

/* As much as the socket takes; closed after the last byte, for the child reads up to the end of its
 * input. If it closes its side before, the rest is dropped: its output says what came of it. */
static void
proc_send(evutil_socket_t fd, short what, void *arg)
{
	struct proc *p = arg;
	ssize_t n = 0;

	(void)what;
	if (p->input.len > 0)
		n = send(fd, p->input.p, p->input.len, MSG_NOSIGNAL);
	if (n > 0) {
		p->input.p += n;
		p->input.len -= (size_t)n;
	}
	if (p->input.len == 0 || is_end_of_stream(n))
		proc_close_end(p, STDIN);
}

/* False: stdout is past its ceiling, or there is no memory. stderr is only for the log: cut. */
static bool
proc_output_add(struct proc *p, int end, const char *bytes, size_t n)
{
	struct buf *err;

	if (end == STDOUT)
		return buf_add(&p->result->out, bytes, n);
	err = &p->result->err;
	if (n > err->max - err->len)
		n = err->max - err->len;
	return n == 0 || buf_add(err, bytes, n);
}

/* One block. False when there is nothing (more) to read now, or nothing more is wanted. */
static bool
proc_read(struct proc *p, int end)
{
	char block[1 << 14];
	ssize_t n = read(p->fds[end], block, sizeof(block));

	if (n > 0 && p->flow != NULL && !proc_output_add(p, end, block, (size_t)n))
		proc_kill(p, PROC_OUT_LARGE);
	if (is_end_of_stream(n))
		proc_close_end(p, end);
	return n > 0 && p->outcome == PROC_EXITED;
}

static void
proc_readable(evutil_socket_t fd, short what, void *arg)
{
	struct proc *p = arg;

	(void)what;
	proc_read(p, fd == p->fds[STDOUT] ? STDOUT : STDERR);
}

/* ---- the end ---- */

static void
proc_report(struct proc *p, const siginfo_t *info)
{
	struct proc_result *r = p->result;

	r->end = p->outcome;
	r->code = info->si_status;
	if (p->outcome == PROC_EXITED && info->si_code != CLD_EXITED)
		r->end = PROC_SIGNALED;
	flow_wake(p->flow);
}

/* The pidfd is readable: the child is dead and waits to be reaped. What it wrote before is still in
 * the pipes and is read first, or the end of the output would be lost. A grandchild that holds a
 * pipe open does not keep us: nothing here waits for an end of file. */
static void
proc_ended(evutil_socket_t fd, short what, void *arg)
{
	struct proc *p = arg;
	siginfo_t info = { 0 };

	(void)fd;
	(void)what;
	if (waitid(P_PIDFD, (id_t)p->pidfd, &info, WEXITED | WNOHANG) != 0 || info.si_pid == 0)
		return;
	for (int end = STDOUT; end <= STDERR; end++) {
		while (p->fds[end] >= 0 && p->flow != NULL && proc_read(p, end))
			continue;
	}
	event_del(p->exit_event);
	timer_stop(&p->deadline);
	for (int i = 0; i < ENDS; i++)
		proc_close_end(p, i);
	if (p->flow != NULL)
		proc_report(p, &info);
	worker_later(p->worker, &p->task, proc_free, p);
}

static void
proc_timed_out(void *arg)
{
	proc_kill(arg, PROC_TIMEOUT);
}

/* flow_abort(): result and input may go away now. The proc stays until the child has died. */
static void
proc_cancel(void *arg)
{
	struct proc *p = arg;

	p->flow = NULL;
	p->result = NULL;
	p->input.len = 0;
	for (int i = 0; i < ENDS; i++)
		proc_close_end(p, i);
	proc_kill(p, PROC_TIMEOUT);
}

/* ---- the start ---- */

/* Of a file there is no end of ours. */
static bool
proc_open_stdin(struct proc *p, int file, int child_fds[ENDS])
{
	int pair[2];

	if (file > 0) {
		child_fds[STDIN] = fcntl(file, F_DUPFD_CLOEXEC, ENDS);
		return child_fds[STDIN] >= 0;
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
		return false;
	p->fds[STDIN] = pair[0];
	child_fds[STDIN] = pair[1];
	return true;
}

/* All are close-on-exec, lest a child that another thread starts at the same moment keeps them
 * open; ours are non-blocking. The child's are dup2()ed into their places, and copies lack the
 * flag. */
static bool
proc_open_ends(struct proc *p, int file, int child_fds[ENDS])
{
	int pair[2];

	if (!proc_open_stdin(p, file, child_fds))
		return false;
	for (int end = STDOUT; end <= STDERR; end++) {
		if (pipe2(pair, O_CLOEXEC) != 0)
			return false;
		p->fds[end] = pair[0];
		child_fds[end] = pair[1];
	}
	for (int end = 0; end < ENDS; end++) {
		if (p->fds[end] >= 0 && evutil_make_socket_nonblocking(p->fds[end]) != 0)
			return false;
	}
	return true;
}

/* Either the child is ours to reap from here on, by its pidfd, or there is none. Between the two
 * calls the pid cannot be used again: nobody else reaps it. 0 or an errno. */
static int
proc_start_child(struct proc *p, const struct proc_conf *c)
{
	int child_fds[ENDS] = { -1, -1, -1 };
	pid_t pid = 0;
	int error =
	    proc_open_ends(p, c->input_file, child_fds) ? proc_spawn(c, child_fds, &pid) : errno;

	for (int end = 0; end < ENDS; end++)
		close_fd(&child_fds[end]);
	if (error != 0)
		return error;
	p->pidfd = pidfd_open(pid, 0);
	if (p->pidfd >= 0)
		return 0;
	error = errno;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return error;
}

/* Output is read while input is sent: a child that fills its pipe before it has read all its input
 * would wait for us as we for it. */
static bool
proc_watch(struct proc *p, struct event_base *base)
{
	if (p->fds[STDIN] >= 0)
		p->events[STDIN] =
		    event_new(base, p->fds[STDIN], EV_WRITE | EV_PERSIST, proc_send, p);
	for (int end = STDOUT; end <= STDERR; end++)
		p->events[end] =
		    event_new(base, p->fds[end], EV_READ | EV_PERSIST, proc_readable, p);
	p->exit_event = event_new(base, p->pidfd, EV_READ | EV_PERSIST, proc_ended, p);
	for (int end = 0; end < ENDS; end++) {
		if (p->fds[end] >= 0 &&
		    (p->events[end] == NULL || event_add(p->events[end], NULL) != 0))
			return false;
	}
	return p->exit_event != NULL && event_add(p->exit_event, NULL) == 0;
}

/* Nothing of it is left; the flow goes on at once. */
static enum flow_rc
proc_not_started(struct proc *p, struct proc_result *r, int error)
{
	r->end = PROC_NOT_STARTED;
	r->code = error;
	proc_free(p);
	return FLOW_NEXT;
}

/* What can fail is done before there is a child, but for the watching: then the child is killed and
 * waited for here, a moment at most. */
enum flow_rc
proc_run(struct flow *f, const struct proc_conf *c, struct slice input, struct proc_result *r)
{
	struct proc *p = xcalloc(1, sizeof(*p));
	int error;

	*p = (struct proc){ .flow = f,
		.worker = f->worker,
		.result = r,
		.input = input,
		.pidfd = -1 };
	p->fds[STDIN] = p->fds[STDOUT] = p->fds[STDERR] = -1;
	pthread_mutex_lock(&children_lock);
	LIST_INSERT_HEAD(&children, p, link);
	pthread_mutex_unlock(&children_lock);
	if (!timer_init(&p->deadline, f->worker, proc_timed_out, p))
		return proc_not_started(p, r, ENOMEM);
	error = proc_start_child(p, c);
	if (error != 0)
		return proc_not_started(p, r, error);
	if (!proc_watch(p, worker_base(f->worker))) {
		proc_kill(p, PROC_NOT_STARTED);
		waitid(P_PIDFD, (id_t)p->pidfd, NULL, WEXITED);
		return proc_not_started(p, r, ENOMEM);
	}
	timer_start(&p->deadline, c->timeout_us);
	return flow_wait(f, proc_cancel, p);
}
