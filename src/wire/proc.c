/* SPDX-License-Identifier: MIT */
/*
 * proc: a child process on the loop.
 *
 *	  input --socket--> [child] --pipe--> out, err
 *	                       |
 *	       pidfd readable: it has ended; what the pipes still hold is read, the flow is woken
 *
 *	[running] --deadline, out.max--> killed, verdict kept --+
 *	    |                                                   v
 *	    +---------------- it ends by itself -----------> [ended]: reaped, flow woken, then freed
 *	    |                                                   ^
 *	    +-- flow's cancel: killed, flow forgotten ----------+  (nobody to wake)
 *
 * Only the pidfd's event ends a proc; so each is reaped exactly once, and none is freed while its
 * process lives. One still dying when its worker ends stays on the list of the living, and becomes
 * init's with our exit. stdin is a socket and no pipe, for a pipe's reader that has gone means
 * SIGPIPE.
 */
#define _GNU_SOURCE /* pipe2, pidfd_open */
#include "tenantgate/wire/proc.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tenantgate/base/alloc.h"
#include "tenantgate/loop/timer.h"

enum { STDIN, STDOUT, STDERR, ENDS };

struct proc {
	struct flow *flow;	    /* borrowed; NULL once cancelled */
	struct worker *worker;	    /* borrowed */
	struct proc_result *result; /* borrowed, valid while flow is */
	struct slice input;	    /* borrowed: what is still to be sent */
	int ours[ENDS];		    /* our ends; -1 when closed */
	struct event *events[ENDS]; /* owned */
	int pidfd;
	struct event *exit_event; /* owned */
	struct timer deadline;
	enum proc_end verdict; /* PROC_EXITED until we killed it for a reason */
	struct task task;  /* to be freed at a safe point */
	LIST_ENTRY(proc) link;
};

static pthread_mutex_t living_lock = PTHREAD_MUTEX_INITIALIZER;
static LIST_HEAD(, proc) living = LIST_HEAD_INITIALIZER(living);

/* ---- ends ---- */

static void
close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void
close_end(struct proc *p, int end)
{
	if (p->events[end] != NULL)
		event_free(p->events[end]);
	p->events[end] = NULL;
	close_fd(&p->ours[end]);
}

static void
proc_free(void *arg)
{
	struct proc *p = arg;

	for (int i = 0; i < ENDS; i++)
		close_end(p, i);
	if (p->exit_event != NULL)
		event_free(p->exit_event);
	close_fd(&p->pidfd);
	timer_free(&p->deadline);
	pthread_mutex_lock(&living_lock);
	LIST_REMOVE(p, link);
	pthread_mutex_unlock(&living_lock);
	free(p);
}

static void
proc_kill(struct proc *p, enum proc_end why)
{
	if (p->verdict == PROC_EXITED)
		p->verdict = why;
	pidfd_send_signal(p->pidfd, SIGKILL, NULL, 0);
}

/* ---- bytes ---- */

static bool
is_over(ssize_t n)
{
	return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
}

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
	if (p->input.len == 0 || is_over(n))
		close_end(p, STDIN);
}

static bool
proc_take_output(struct proc *p, int end, const char *bytes, size_t n)
{
	struct buf *err;

	if (end == STDOUT)
		return buf_add(&p->result->out, bytes, n);
	err = &p->result->err;
	if (n > err->max - err->len)
		n = err->max - err->len;
	return n == 0 || buf_add(err, bytes, n);
}

/* False when there is nothing (more) to read now. */
static bool
read_some(struct proc *p, int end)
{
	char block[1 << 14];
	ssize_t n = read(p->ours[end], block, sizeof(block));

	if (n > 0 && p->flow != NULL && !proc_take_output(p, end, block, (size_t)n))
		proc_kill(p, PROC_OUT_LARGE);
	if (is_over(n))
		close_end(p, end);
	return n > 0 && p->verdict == PROC_EXITED;
}

static void
proc_readable(evutil_socket_t fd, short what, void *arg)
{
	struct proc *p = arg;

	(void)what;
	read_some(p, fd == p->ours[STDOUT] ? STDOUT : STDERR);
}

/* ---- the end ---- */

static void
proc_report(struct proc *p, const siginfo_t *info)
{
	struct proc_result *r = p->result;

	r->end = p->verdict;
	r->code = info->si_status;
	if (p->verdict == PROC_EXITED && info->si_code != CLD_EXITED)
		r->end = PROC_SIGNALED;
	flow_wake(p->flow);
}

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
		while (p->ours[end] >= 0 && p->flow != NULL && read_some(p, end))
			continue;
	}
	event_del(p->exit_event);
	timer_stop(&p->deadline);
	for (int i = 0; i < ENDS; i++)
		close_end(p, i);
	if (p->flow != NULL)
		proc_report(p, &info);
	worker_later(p->worker, &p->task, proc_free, p);
}

static void
proc_timed_out(void *arg)
{
	proc_kill(arg, PROC_TIMEOUT);
}

static void
proc_cancel(void *arg)
{
	struct proc *p = arg;

	p->flow = NULL;
	p->result = NULL;
	p->input.len = 0;
	for (int i = 0; i < ENDS; i++)
		close_end(p, i);
	proc_kill(p, PROC_TIMEOUT);
}

/* ---- the start ---- */

/* ours[] and theirs[]: all close-on-exec, ours nonblocking. */
static bool
open_ends(struct proc *p, int theirs[ENDS])
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
		return false;
	p->ours[STDIN] = pair[0];
	theirs[STDIN] = pair[1];
	for (int end = STDOUT; end <= STDERR; end++) {
		if (pipe2(pair, O_CLOEXEC) != 0)
			return false;
		p->ours[end] = pair[0];
		theirs[end] = pair[1];
	}
	for (int end = 0; end < ENDS; end++) {
		if (evutil_make_socket_nonblocking(p->ours[end]) != 0)
			return false;
	}
	return true;
}

/* Default signals, none blocked, whatever this thread has. 0 or an errno. */
static int
set_attributes(posix_spawnattr_t *a)
{
	sigset_t none, all;

	sigemptyset(&none);
	sigfillset(&all);
	return posix_spawnattr_setsigmask(a, &none) != 0 ||
		posix_spawnattr_setsigdefault(a, &all) != 0 ||
		posix_spawnattr_setpgroup(a, 0) != 0 ||
		posix_spawnattr_setflags(a,
		    POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP) != 0
	    ? EINVAL
	    : 0;
}

static int
spawn(const struct proc_conf *c, const int theirs[ENDS], pid_t *pid)
{
	char *const nothing[] = { NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int error;

	if (posix_spawn_file_actions_init(&actions) != 0)
		return ENOMEM;
	if (posix_spawnattr_init(&attributes) != 0) {
		posix_spawn_file_actions_destroy(&actions);
		return ENOMEM;
	}
	error = set_attributes(&attributes);
	for (int end = 0; end < ENDS && error == 0; end++)
		error = posix_spawn_file_actions_adddup2(&actions, theirs[end], end);
	if (error == 0)
		error = posix_spawn(pid, c->path, &actions, &attributes,
		    (char *const *)(uintptr_t)c->argv, nothing);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	return error;
}

/* The child must be ours to reap from here on, or there must be none. */
static int
start_child(struct proc *p, const struct proc_conf *c)
{
	int theirs[ENDS] = { -1, -1, -1 };
	pid_t pid = 0;
	int error = open_ends(p, theirs) ? spawn(c, theirs, &pid) : errno;

	for (int end = 0; end < ENDS; end++)
		close_fd(&theirs[end]);
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

static bool
watch(struct proc *p, struct event_base *base)
{
	p->events[STDIN] = event_new(base, p->ours[STDIN], EV_WRITE | EV_PERSIST, proc_send, p);
	for (int end = STDOUT; end <= STDERR; end++)
		p->events[end] =
		    event_new(base, p->ours[end], EV_READ | EV_PERSIST, proc_readable, p);
	p->exit_event = event_new(base, p->pidfd, EV_READ | EV_PERSIST, proc_ended, p);
	for (int end = 0; end < ENDS; end++) {
		if (p->events[end] == NULL || event_add(p->events[end], NULL) != 0)
			return false;
	}
	return p->exit_event != NULL && event_add(p->exit_event, NULL) == 0;
}

static enum flow_rc
not_started(struct proc *p, struct proc_result *r, int error)
{
	r->end = PROC_NOT_STARTED;
	r->code = error;
	proc_free(p);
	return FLOW_NEXT;
}

/* Everything that can fail but the child's start fails before there is a child. */
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
	p->ours[STDIN] = p->ours[STDOUT] = p->ours[STDERR] = -1;
	pthread_mutex_lock(&living_lock);
	LIST_INSERT_HEAD(&living, p, link);
	pthread_mutex_unlock(&living_lock);
	if (!timer_init(&p->deadline, f->worker, proc_timed_out, p))
		return not_started(p, r, ENOMEM);
	error = start_child(p, c);
	if (error != 0)
		return not_started(p, r, error);
	if (!watch(p, worker_base(f->worker))) {
		proc_kill(p, PROC_NOT_STARTED);
		waitid(P_PIDFD, (id_t)p->pidfd, NULL, WEXITED);
		return not_started(p, r, ENOMEM);
	}
	timer_start(&p->deadline, c->timeout_us);
	return flow_wait(f, proc_cancel, p);
}
