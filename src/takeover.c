/* SPDX-License-Identifier: MIT */
/* takeover: messages of a SOCK_SEQPACKET socket, each of them whole or not there. */
#define _GNU_SOURCE /* struct ucred, accept4 */
#include "takeover.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "tenantgate/base/clock.h"
#include "tenantgate/base/log.h"

#define HELLO	       "tenantgate takeover 1"
#define SOCKETS	       "sockets"
#define END	       "end"
#define READY	       "ready"
#define MESSAGE_MAX    64
#define FDS_OF_MESSAGE 128 /* the kernel takes 253 (SCM_MAX_FD) */

union control {
	struct cmsghdr header; /* for its alignment */
	char bytes[CMSG_SPACE(FDS_OF_MESSAGE * sizeof(int))];
};

/* ---- both sides ---- */
static bool
address_fill(struct sockaddr_un *a, const char *path)
{
	*a = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof(a->sun_path)) {
		errno = ENAMETOOLONG;
		return false;
	}
	memcpy(a->sun_path, path, strlen(path) + 1);
	return true;
}

/* A connected socket, or -1 with errno. */
static int
connect_to(const char *path)
{
	struct timeval wait = { .tv_sec = TAKEOVER_WAIT_US / 1000000 };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), failure;
	struct sockaddr_un a;

	if (fd == -1)
		return -1;
	if (address_fill(&a, path) &&
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) == 0 &&
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait)) == 0 &&
	    connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0)
		return fd;
	failure = errno;
	close(fd);
	errno = failure;
	return -1;
}

/* Nothing of ours may wait, nor end the process where the other one has left. */
static bool
send_message(int to, const char *text, const int *fds, unsigned count)
{
	struct iovec iov = { (char *)(uintptr_t)text, strlen(text) };
	union control control = { 0 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *c;

	if (count > 0) {
		m.msg_control = &control;
		m.msg_controllen = CMSG_SPACE(count * sizeof(int));
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(c), fds, count * sizeof(int));
	}
	return sendmsg(to, &m, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)iov.iov_len;
}

/* ---- the predecessor ---- */
/* Only we, and root, may connect. With errno. */
static bool
bind_privately(int fd, const struct sockaddr_un *a)
{
	mode_t mask = umask(0177);
	bool is_bound = bind(fd, (const struct sockaddr *)a, sizeof(*a)) == 0;

	(void)umask(mask);
	return is_bound;
}

/* Bound under a name of its own and renamed, so that there is no moment without a socket. -1 with
 * errno. */
static int
listen_at(const char *path)
{
	char made[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	int n = snprintf(made, sizeof(made), "%s.%d", path, (int)getpid()), fd, failure;
	struct sockaddr_un a;

	if (n < 0 || (size_t)n >= sizeof(made) || !address_fill(&a, made)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1)
		return -1;
	if (bind_privately(fd, &a)) {
		if (listen(fd, 1) == 0 && rename(made, path) == 0)
			return fd;
		failure = errno;
		(void)unlink(made);
		errno = failure;
	}
	failure = errno;
	close(fd);
	errno = failure;
	return -1;
}

bool
takeover_open(struct takeover *t, const char *path, struct err *err)
{
	t->listening = t->successor = -1;
	if (*path == '\0')
		return true;
	t->listening = listen_at(path);
	if (t->listening == -1)
		err_set(err, ERR_INTERNAL,
		    "The takeover_socket %s cannot be made (%s); let the process's user write in "
		    "its folder, or leave the key empty.",
		    path, strerror(errno));
	return t->listening != -1;
}

bool
takeover_is_taken(const char *path)
{
	int fd = *path == '\0' ? -1 : connect_to(path);

	if (fd != -1)
		close(fd);
	return fd != -1;
}

static void
successor_leave(struct takeover *t)
{
	close(t->successor);
	t->successor = -1;
}

unsigned
takeover_polls(struct takeover *t, struct pollfd polls[TAKEOVER_POLLS])
{
	unsigned n = 0;

	if (t->successor != -1 && clock_mono_us() - t->since_us > TAKEOVER_READY_US) {
		log_event(LOG_WARNING, "serve.takeover", NULL,
		    "A successor was not ready within %llu s and is given up; look at its log, and "
		    "start it again.",
		    TAKEOVER_READY_US / 1000000);
		successor_leave(t);
	}
	/* One successor at a time: the next is accepted when the first has left. */
	if (t->successor != -1)
		polls[n++] = (struct pollfd){ t->successor, POLLIN, 0 };
	else if (t->listening != -1)
		polls[n++] = (struct pollfd){ t->listening, POLLIN, 0 };
	return n;
}

static void
successor_accept(struct takeover *t)
{
	struct ucred peer = { 0 };
	socklen_t size = sizeof(peer);

	t->successor = accept4(t->listening, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (t->successor == -1)
		return;
	t->since_us = clock_mono_us();
	if (getsockopt(t->successor, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
	    (peer.uid == geteuid() || peer.uid == 0))
		return;
	log_event(LOG_WARNING, "serve.takeover", NULL,
	    "A process of another user (%u) asked for our sockets and was refused; start the "
	    "successor as the user that this one runs as.",
	    (unsigned)peer.uid);
	successor_leave(t);
}

enum takeover_event
takeover_receive(struct takeover *t, const struct pollfd *polls, unsigned count)
{
	char message[MESSAGE_MAX + 1];
	ssize_t n;

	if (count == 0 || polls[0].revents == 0)
		return TAKEOVER_NOTHING;
	if (t->successor == -1) {
		successor_accept(t);
		return TAKEOVER_NOTHING;
	}
	n = recv(t->successor, message, sizeof(message) - 1, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return TAKEOVER_NOTHING;
	message[n > 0 ? n : 0] = '\0';
	if (strcmp(message, HELLO) == 0)
		return TAKEOVER_ASKED;
	successor_leave(t);
	return strcmp(message, READY) == 0 ? TAKEOVER_READY : TAKEOVER_NOTHING;
}

void
takeover_give(struct takeover *t, const struct inherited *sockets)
{
	bool is_sent = true;

	for (unsigned i = 0; is_sent && i < sockets->count; i += FDS_OF_MESSAGE) {
		unsigned left = sockets->count - i;

		is_sent = send_message(t->successor, SOCKETS, sockets->fds + i,
		    left < FDS_OF_MESSAGE ? left : FDS_OF_MESSAGE);
	}
	if (!is_sent || !send_message(t->successor, END, NULL, 0))
		successor_leave(t);
}

/* The path is left: a successor may be there by now. */
void
takeover_close(struct takeover *t)
{
	if (t->successor != -1)
		successor_leave(t);
	if (t->listening != -1)
		close(t->listening);
	t->listening = -1;
}

/* ---- the successor ---- */
enum received { RECEIVED_SOCKETS, RECEIVED_END, RECEIVED_WRONG };

/* All descriptors that came are ours to close, whatever came with them. */
static void
keep_sockets(const struct cmsghdr *c, struct inherited *all)
{
	unsigned count = (unsigned)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));

	for (unsigned i = 0; i < count; i++) {
		int fd;

		memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
		if (all->count < INHERITED_MAX)
			all->fds[all->count++] = fd;
		else
			close(fd);
	}
}

static enum received
receive_sockets(int from, struct inherited *all)
{
	char message[MESSAGE_MAX + 1];
	struct iovec iov = { message, MESSAGE_MAX };
	union control control = { 0 };
	struct msghdr m = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(from, &m, MSG_CMSG_CLOEXEC);
	const struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&m) : NULL;

	message[n > 0 ? n : 0] = '\0';
	if (c != NULL && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
		keep_sockets(c, all);
	if (strcmp(message, END) == 0)
		return RECEIVED_END;
	return strcmp(message, SOCKETS) == 0 ? RECEIVED_SOCKETS : RECEIVED_WRONG;
}

int
takeover_ask(const char *path, struct inherited *all, struct err *err)
{
	int predecessor = connect_to(path);
	enum received received = RECEIVED_SOCKETS;

	if (predecessor == -1) {
		err_set(err, ERR_INTERNAL,
		    "No tenantgate of this user answers at takeover_socket %s (%s); where none "
		    "runs, start without --take-over.",
		    *path == '\0' ? "\"\"" : path, strerror(errno));
		return -1;
	}
	if (!send_message(predecessor, HELLO, NULL, 0))
		received = RECEIVED_WRONG;
	while (received == RECEIVED_SOCKETS)
		received = receive_sockets(predecessor, all);
	if (received == RECEIVED_END && all->count > 0)
		return predecessor;
	err_set(err, ERR_INTERNAL,
	    "The process at takeover_socket %s gave no listening sockets: it is another program, "
	    "ends just now, or has another successor. It serves on; look at its log.",
	    path);
	close(predecessor);
	return -1;
}

void
takeover_ready(int predecessor)
{
	if (!send_message(predecessor, READY, NULL, 0))
		log_event(LOG_ERR, "serve.takeover", NULL,
		    "The predecessor could not be told that we are ready (%s); end it by SIGINT.",
		    strerror(errno));
	close(predecessor);
}
