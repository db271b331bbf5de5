/* SPDX-License-Identifier: MIT */
/*
 * log.c: one line, one write. No lock is held while writing: a line goes out in one system call,
 * and the file is opened for appending, so lines of several threads never mix.
 *
 * log_fd is stderr until the first log_open() of a file; from then on it is a descriptor of our
 * own whose number never changes. Reopening puts another file under that number (dup3), so that
 * a thread in the middle of a write needs no lock and meets no closed descriptor.
 *
 * A worker never waits for whoever reads the log, or one hung reader would stop every tenant's
 * requests. A pipe is opened a second time without blocking (the flag is the open file's, which
 * stderr shares with other programs); a socket is sent to without waiting. What does not fit is
 * lost; a line that fitted in part is ended before the next one begins.
 */
#define _GNU_SOURCE /* dup3, O_PATH */
#include "tenantgate/base/log.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log_repeat.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/base/json.h"

#define LOG_MESSAGE_MAX 4096 /* bytes; longer messages are cut */
#define LOG_ID_MAX	256  /* of the level, the event, and the ids of request and trace each */
/* Every byte may become a \u escape of six, and the rest of the line is of a fixed size. */
#define LOG_LINE_MAX  (6 * (LOG_MESSAGE_MAX + 4 * LOG_ID_MAX) + 512)
#define LOG_FILE_MODE 0640

static atomic_int log_max = LOG_INFO;
static atomic_int log_fd = STDERR_FILENO;
static int log_stderr = STDERR_FILENO; /* or the same pipe, not blocking */
static atomic_bool log_to_socket;      /* log_fd is stderr, and that is a socket (journald's) */
static int log_folder = -1;	       /* of the file; main thread's, as the next */
static char *log_name;		       /* the file's, in it; owned. NULL: stderr */
static char *log_path;		       /* of both; owned */
static _Atomic uint64_t log_lost;
static _Atomic uint64_t log_folded;
static atomic_bool log_partial; /* the last line was cut off: its newline is owed */

static _Thread_local const char *log_trace_id;

void
log_trace(const char *trace_id)
{
	log_trace_id = trace_id;
}

void
log_level(int max_level)
{
	atomic_store(&log_max, max_level);
}

static bool
fd_is(int fd, mode_t type)
{
	struct stat st;

	return fstat(fd, &st) == 0 && (st.st_mode & S_IFMT) == type;
}

/* By /proc, for a pipe has no name: opening it anew gives an open file of our own. It needs the
 * rights of the one who made the pipe, hence before they are dropped. */
void
log_begin(void)
{
	int fd = -1;

	if (fd_is(STDERR_FILENO, S_IFIFO))
		fd = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd >= 0) {
		log_stderr = fd;
		atomic_store(&log_fd, fd);
	}
	atomic_store(&log_to_socket, fd_is(STDERR_FILENO, S_IFSOCK));
}

/* Takes over the opened file, for all threads at once. */
static bool
log_switch_file(int opened)
{
	int fd = atomic_load(&log_fd);
	bool ok;

	if (fd == log_stderr) {
		atomic_store(&log_fd, opened);
		return true;
	}
	ok = dup3(opened, fd, O_CLOEXEC) >= 0;
	close(opened);
	return ok;
}

/* The name in its folder, which is opened by a handle that stays; "." of a name without one. False
 * with errno. */
static bool
log_folder_open(const char *path)
{
	const char *slash = strrchr(path, '/');
	size_t n = slash == NULL ? 0 : (size_t)(slash - path);
	char *folder = slash == NULL ? strdup(".") : strndup(path, n == 0 ? 1 : n);
	char *name = strdup(slash == NULL ? path : slash + 1), *whole = strdup(path);
	int fd = folder == NULL ? -1 : open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);

	free(folder);
	if (fd < 0 || name == NULL || whole == NULL) {
		free(name);
		free(whole);
		return false;
	}
	if (log_folder >= 0)
		close(log_folder);
	free(log_name);
	free(log_path);
	log_folder = fd;
	log_name = name;
	log_path = whole;
	return true;
}

/* Without waiting: of a pipe for who reads it, neither now nor at a line. -1 with errno. */
static int
log_file_open(void)
{
	return openat(log_folder, log_name,
	    O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, LOG_FILE_MODE);
}

/* A folder that was removed takes no file any more: there may be another of its name. */
bool
log_reopen(void)
{
	int opened;

	if (log_name == NULL)
		return true;
	opened = log_file_open();
	if (opened < 0 && errno == ENOENT && log_folder_open(log_path))
		opened = log_file_open();
	if (opened < 0)
		return false;
	atomic_store(&log_to_socket, false);
	return log_switch_file(opened);
}

bool
log_open(const char *path)
{
	int fd = atomic_load(&log_fd);

	if (path == NULL)
		return fd == log_stderr || dup3(log_stderr, fd, O_CLOEXEC) >= 0;
	return log_folder_open(path) && log_reopen();
}

/* One system call. MSG_NOSIGNAL: a reader that is gone must not end the process by SIGPIPE. */
static ssize_t
log_write_parts(struct iovec *parts, int count)
{
	struct msghdr m = { .msg_iov = parts, .msg_iovlen = (size_t)count };
	ssize_t n;

	do {
		if (atomic_load(&log_to_socket))
			n = sendmsg(atomic_load(&log_fd), &m, MSG_DONTWAIT | MSG_NOSIGNAL);
		else
			n = writev(atomic_load(&log_fd), parts, count);
	} while (n < 0 && errno == EINTR);
	return n;
}

/* Begins with the newline that a cut-off line before it lacks. When nothing at all was written, it
 * is still owed. (Two threads in the same moment may at worst leave an empty line.) */
void
log_line(const struct buf *json)
{
	struct iovec parts[] = {
		{ (char *)"\n", 1 },
		{ json->data, json->len },
		{ (char *)"\n", 1 },
	};
	bool partial = atomic_exchange(&log_partial, false);
	ssize_t n = partial ? log_write_parts(parts, 3) : log_write_parts(parts + 1, 2);

	if (n < 0 ? partial : (size_t)n < json->len + 1 + partial)
		atomic_store(&log_partial, true);
	if (n < 0 || (size_t)n < json->len + 1 + partial)
		atomic_fetch_add(&log_lost, 1);
}

static const char *
log_level_name(int level)
{
	static const char *const names[] = { "emergency", "alert", "critical", "error", "warning",
		"notice", "info", "debug" };

	return names[level & 7]; /* the levels of syslog(3) are 0 to 7 */
}

static void
log_field(struct buf *line, const char *name, const char *value, size_t max)
{
	buf_printf(line, ",\"%s\":", name);
	json_put_string(line, slice_of(value, strnlen(value, max)));
}

/* Without memory for the line it is lost: a log must not end the process. */
static void
log_write(int level, const char *event, const char *request_id, uint64_t hidden,
    const char *message)
{
	char now[CLOCK_ISO_SIZE];
	struct buf line;

	clock_iso(clock_wall_us(), now);
	buf_init(&line, LOG_LINE_MAX);
	buf_printf(&line, "{\"time\":\"%s\"", now);
	log_field(&line, "level", log_level_name(level), LOG_ID_MAX);
	log_field(&line, "event", event, LOG_ID_MAX);
	if (request_id != NULL)
		log_field(&line, "request_id", request_id, LOG_ID_MAX);
	if (request_id != NULL && log_trace_id != NULL)
		log_field(&line, "trace_id", log_trace_id, LOG_ID_MAX);
	log_field(&line, "message", message, LOG_MESSAGE_MAX);
	if (hidden > 0)
		buf_printf(&line, ",\"repeats_hidden\":%llu", (unsigned long long)hidden);
	buf_putc(&line, '}');
	if (!line.failed)
		log_line(&line);
	buf_free(&line);
}

/* errno is kept, for callers log first and look at it, or return it, afterwards. */
void
log_event(int level, const char *event, const char *request_id, const char *fmt, ...)
{
	char message[LOG_MESSAGE_MAX];
	int saved_errno = errno;
	uint64_t hidden;
	va_list ap;

	if (level > atomic_load(&log_max))
		return;
	if (log_repeat_admit(level, event, clock_mono_us(), &hidden)) {
		va_start(ap, fmt);
		if (vsnprintf(message, sizeof(message), fmt, ap) < 0)
			message[0] = '\0';
		va_end(ap);
		log_write(level, event, request_id, hidden, message);
	} else {
		atomic_fetch_add(&log_folded, 1);
	}
	errno = saved_errno;
}

void
log_counts(struct log_counts *out)
{
	out->lost = atomic_load(&log_lost);
	out->folded = atomic_load(&log_folded);
}
