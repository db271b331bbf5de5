/* SPDX-License-Identifier: MIT */
/*
 * preflight_extractor: the program, started with a pipe for its output (its sandbox lets no file
 * grow) and nothing for its input.
 */
#define _GNU_SOURCE /* pipe2() */
#include "preflight_extractor.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SAID_MAX 1024 /* bytes that are kept of what it says */

/* 0, or errno. */
static int
extractor_spawn(const char *path, const char *mode, int output, pid_t *pid)
{
	char *argv[] = { (char *)"tenantgate-extract", (char *)"--cpu", (char *)"5", (char *)mode,
		NULL };
	char *envp[] = { NULL };
	posix_spawn_file_actions_t files;
	int failure;

	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&files, output, STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&files, output, STDERR_FILENO);
	failure = posix_spawn(pid, path, &files, NULL, argv, envp);
	posix_spawn_file_actions_destroy(&files);
	return failure;
}

/* Until the program closes it; its first line is kept. */
static void
read_first_line(int fd, struct buf *why)
{
	char piece[256];
	ssize_t n;

	while ((n = read(fd, piece, sizeof(piece))) > 0 || (n < 0 && errno == EINTR))
		if (n > 0 && why->len < SAID_MAX)
			buf_add(why, piece, (size_t)n);
	why->len = why->len == 0 ? 0 : strcspn(why->data, "\n");
}

/* 0, or 1: poppler's for a document that it cannot open, as an empty one is none. */
static bool
is_a_readers_exit(int status)
{
	return WIFEXITED(status) && WEXITSTATUS(status) <= 1;
}

static bool
extractor_runs(const char *path, const char *mode, struct buf *why)
{
	int pipes[2], status = 0, failure;
	pid_t pid = -1;

	if (pipe2(pipes, O_CLOEXEC) != 0)
		return true; /* that says nothing of the program */
	failure = extractor_spawn(path, mode, pipes[1], &pid);
	close(pipes[1]);
	buf_reset(why);
	if (failure == 0) {
		read_first_line(pipes[0], why);
		while (waitpid(pid, &status, 0) == -1 && errno == EINTR)
			continue;
	} else {
		buf_puts(why, strerror(failure));
	}
	close(pipes[0]);
	return failure == 0 && is_a_readers_exit(status);
}

bool
preflight_extractor(const char *path, struct buf *why)
{
	return extractor_runs(path, NULL, why) && extractor_runs(path, "--pictures", why);
}
