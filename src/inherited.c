/* SPDX-License-Identifier: MIT */
/* inherited: read from the environment, and told apart by their ports. */
#include "inherited.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tenantgate/base/log.h"

#define SYSTEMD_FIRST 3 /* SD_LISTEN_FDS_START */

/* A whole number of at most nine digits; -1: it is none. */
static long
environment_number(const char *name)
{
	const char *text = getenv(name);
	char *end;
	long n;

	if (text == NULL || *text < '0' || *text > '9')
		return -1;
	n = strtol(text, &end, 10);
	return *end == '\0' && n <= 999999999 ? n : -1;
}

static bool
is_listening_tcp(int fd)
{
	struct sockaddr_storage a;
	socklen_t size = sizeof(a), length = sizeof(int);
	int listens = 0;

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &length) == 0 && listens != 0 &&
	    getsockname(fd, (struct sockaddr *)&a, &size) == 0 &&
	    (a.ss_family == AF_INET || a.ss_family == AF_INET6);
}

/* Our own children must not have it, and accept(2) must not wait. */
static bool
socket_prepare(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags != -1 && fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 &&
	    fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0;
}

bool
inherited_from_systemd(struct inherited *all, struct err *err)
{
	long pid = environment_number("LISTEN_PID"), count = environment_number("LISTEN_FDS");

	(void)unsetenv("LISTEN_PID");
	(void)unsetenv("LISTEN_FDS");
	(void)unsetenv("LISTEN_FDNAMES");
	if (pid != getpid() || count <= 0)
		return true;
	for (int fd = SYSTEMD_FIRST; fd < SYSTEMD_FIRST + count; fd++) {
		if (all->count == INHERITED_MAX || !is_listening_tcp(fd) || !socket_prepare(fd)) {
			err_set(err, ERR_INTERNAL,
			    "Descriptor %d, which the service manager has opened, is no TCP socket "
			    "that listens; in the socket unit leave ListenStream= lines with ports "
			    "and Accept=no only.",
			    fd);
			return false;
		}
		all->fds[all->count++] = fd;
	}
	return true;
}

static uint16_t
socket_port(int fd)
{
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} a;
	socklen_t size = sizeof(a);

	if (getsockname(fd, &a.sa, &size) != 0)
		return 0;
	return ntohs(a.sa.sa_family == AF_INET6 ? a.in6.sin6_port : a.in.sin_port);
}

unsigned
inherited_take(struct inherited *all, uint16_t port, int *fds)
{
	unsigned n = 0;

	for (unsigned i = 0; i < all->count; i++) {
		if (port == 0 || all->fds[i] == -1 || socket_port(all->fds[i]) != port)
			continue;
		fds[n++] = all->fds[i];
		all->fds[i] = -1;
	}
	return n;
}

void
inherited_close(struct inherited *all)
{
	for (unsigned i = 0; i < all->count; i++) {
		if (all->fds[i] == -1)
			continue;
		log_event(LOG_WARNING, "serve.inherited", NULL,
		    "Port %u was handed over to this process, and no *_listen_port of its "
		    "configuration is that; it is closed here. Correct whichever is wrong.",
		    (unsigned)socket_port(all->fds[i]));
		close(all->fds[i]);
	}
	all->count = 0;
}
