/* SPDX-License-Identifier: MIT */
/*
 * preflight_extractor: the program, started with a pipe for its output (its sandbox lets no file
 * grow) and nothing for its input.
 */
#define _GNU_SOURCE /* pipe2() */
#include "preflight_extractor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tenantgate/base/clock.h"

#define SAID_MAX 1024 /* bytes that are kept of what it says */

/* 0, or errno. In a process group of its own, for what it starts holds the pipe too. */
static int
extractor_spawn(const char *path, const char *mode, int output, pid_t *pid)
{
	char *argv[] = { (char *)"tenantgate-extract", (char *)"--cpu", (char *)"5", (char *)mode,
		NULL };
	char *envp[] = { NULL };
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attributes;
	int failure;

	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&files, output, STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&files, output, STDERR_FILENO);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
	failure = posix_spawn(pid, path, &files, &attributes, argv, envp);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&files);
	return failure;
}

/* Until the program closes it; its first line is kept. False when it does not in time. */
static bool
read_first_line(int fd, unsigned wait_ms, struct buf *why)
{
	uint64_t now = clock_mono_us(), until = now + wait_ms * 1000ull;
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char piece[256];
	ssize_t n = -1;

	for (; n != 0 && now < until; now = clock_mono_us()) {
		if (poll(&p, 1, (int)((until - now) / 1000) + 1) <= 0)
			continue;
		n = read(fd, piece, sizeof(piece));
		if (n > 0 && why->len < SAID_MAX)
			buf_add(why, piece, (size_t)n);
		else if (n < 0 && errno != EINTR)
			break;
	}
	why->len = why->len == 0 ? 0 : strcspn(why->data, "\n");
	return n == 0;
}

static void
extractor_kill(pid_t pid, struct buf *why)
{
	(void)kill(-pid, SIGKILL);
	buf_reset(why);
	buf_puts(why, "it does not end");
}

/* 0, or 1: poppler's for a document that it cannot open, as an empty one is none. */
static bool
is_a_readers_exit(int status)
{
	return WIFEXITED(status) && WEXITSTATUS(status) <= 1;
}

static bool
extractor_runs(const char *path, const char *mode, unsigned wait_ms, struct buf *why)
{
	int pipes[2], status = 0, failure;
	pid_t pid = -1;

	if (pipe2(pipes, O_CLOEXEC) != 0)
		return true; /* that says nothing of the program */
	failure = extractor_spawn(path, mode, pipes[1], &pid);
	close(pipes[1]);
	buf_reset(why);
	if (failure == 0) {
		if (!read_first_line(pipes[0], wait_ms, why))
			extractor_kill(pid, why);
		while (waitpid(pid, &status, 0) == -1 && errno == EINTR)
			continue;
	} else {
		buf_puts(why, strerror(failure));
	}
	close(pipes[0]);
	return failure == 0 && is_a_readers_exit(status);
}

bool
preflight_extractor(const char *path, unsigned wait_ms, struct buf *why)
{
	return extractor_runs(path, NULL, wait_ms, why) &&
	    extractor_runs(path, "--pictures", wait_ms, why);
}
