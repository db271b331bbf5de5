/* SPDX-License-Identifier: MIT */
/* proc_spawn: see the header. */
#include "wire/proc_spawn.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>

/* A new process would inherit this thread's blocked and ignored signals: it gets the defaults. Its
 * own process group keeps a terminal's Ctrl-C from it. 0 or an errno. */
static int
spawn_attributes_set(posix_spawnattr_t *a)
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

/* posix_spawn(), not fork(): in a process of threads a forked child may call next to nothing before
 * its exec, and a large heap would be copied. An environment of its own keeps our secrets from
 * it. */
int
proc_spawn(const struct proc_conf *c, const int child_fds[PROC_ENDS], pid_t *pid)
{
	static const char *const nothing[] = { NULL };
	const char *const *envp = c->envp != NULL ? c->envp : nothing;
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int error;

	if (posix_spawn_file_actions_init(&actions) != 0)
		return ENOMEM;
	if (posix_spawnattr_init(&attributes) != 0) {
		posix_spawn_file_actions_destroy(&actions);
		return ENOMEM;
	}
	error = spawn_attributes_set(&attributes);
	for (int end = 0; end < PROC_ENDS && error == 0; end++)
		error = posix_spawn_file_actions_adddup2(&actions, child_fds[end], end);
	if (error == 0)
		error = posix_spawn(pid, c->path, &actions, &attributes,
		    (char *const *)(uintptr_t)c->argv, (char *const *)(uintptr_t)envp);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	return error;
}
