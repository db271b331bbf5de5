/* SPDX-License-Identifier: MIT */
/*
 * http_client: the client's side of http_fixture.h: blocking sockets with a time-out of twenty
 * seconds.
 */
#define _GNU_SOURCE /* memmem */
#include "http_fixture.h"

#include <sys/socket.h>
#include <sys/time.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool
http_fixture_waits_for(atomic_uint *count, unsigned atleast)
{
	for (int i = 0; i < 4000; i++) {
		if (atomic_load(count) >= atleast)
			return true;
		usleep(5000);
	}
	return false;
}

int
client_open(const struct http_fixture *h)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons(h->port),
		.sin_addr = { .s_addr = htonl(INADDR_LOOPBACK) } };
	struct timeval patience = { .tv_sec = 20 };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0)
		abort();
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	return fd;
}

void
client_send_bytes(int fd, const void *bytes, size_t n)
{
	const char *p = bytes;

	while (n > 0) {
		ssize_t sent = send(fd, p, n, MSG_NOSIGNAL);

		if (sent <= 0)
			return; /* the server has closed: its response is what is asserted */
		p += sent;
		n -= (size_t)sent;
	}
}

void
client_send(int fd, const char *text)
{
	client_send_bytes(fd, text, strlen(text));
}

/* 1: some came; 0: closed or reset; -1: nothing in time. */
static int
client_receive(int fd, struct buf *out)
{
	char piece[16384];
	ssize_t n = recv(fd, piece, sizeof(piece), 0);

	if (n > 0 && !buf_add(out, piece, (size_t)n))
		abort();
	if (n < 0 && errno != ECONNRESET)
		return -1;
	return n > 0;
}

bool
client_receive_all(int fd, struct buf *out)
{
	int rc;

	do
		rc = client_receive(fd, out);
	while (rc == 1);
	return rc == 0;
}

bool
client_receives(int fd, struct buf *out, const char *text, unsigned n)
{
	while (count_of(out, text) < n) {
		if (client_receive(fd, out) != 1)
			return false;
	}
	return true;
}

void
client_reset(int fd)
{
	struct linger hard = { .l_onoff = 1, .l_linger = 0 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	close(fd);
}

unsigned
count_of(const struct buf *b, const char *text)
{
	const char *at = b->data, *end = b->data + b->len;
	unsigned n = 0;

	while (at != NULL && (at = memmem(at, (size_t)(end - at), text, strlen(text))) != NULL) {
		at += strlen(text);
		n++;
	}
	return n;
}
