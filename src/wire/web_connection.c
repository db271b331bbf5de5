/* SPDX-License-Identifier: MIT */
/*
 * web_connection: the sockets that libcurl has open, so that a kept one on which something has come
 * unasked is not used again. A server that answers twice, or late after a time-out of its own,
 * would otherwise have its stray answer taken for the response to the next request, which may be
 * another tenant's. libcurl 7.88 does not look; later versions do.
 *
 * What comes only after the next request has left cannot be told from its answer, for HTTP/1.1 has
 * no ids. It takes a server that answers one request twice: the connection of a request that we
 * gave up is closed.
 *
 * What comes unasked over HTTP/2 belongs to the protocol, and an answer to its stream.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/util.h>
#include <netinet/in.h>

#include "tenantgate/base/alloc.h"
#include "wire/web_internal.h"

struct web_connection {
	LIST_ENTRY(web_connection) link;
	curl_socket_t fd; /* closed by us only where libcurl asks for that */
	bool is_http2;
};

static struct web_connection *
connection_of(struct web *w, curl_socket_t fd)
{
	struct web_connection *c;

	LIST_FOREACH(c, &w->connections, link)
		if (c->fd == fd)
			return c;
	return NULL;
}

static void
connection_free(struct web_connection *c)
{
	LIST_REMOVE(c, link);
	free(c);
}

/* CURLOPT_OPENSOCKETFUNCTION. libcurl itself closes a socket that was never connected, so its place
 * may be here still, for the next of that number. */
curl_socket_t
web_connection_open(void *web, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct web *w = web;
	struct web_connection *c;
	int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);

	(void)purpose;
	if (fd < 0)
		return CURL_SOCKET_BAD;
	if ((c = connection_of(w, fd)) != NULL)
		connection_free(c);
	c = xcalloc(1, sizeof(*c));
	c->fd = fd;
	LIST_INSERT_HEAD(&w->connections, c, link);
	return fd;
}

/* CURLOPT_CLOSESOCKETFUNCTION */
int
web_connection_close(void *web, curl_socket_t fd)
{
	struct web_connection *c = connection_of(web, fd);

	if (c != NULL)
		connection_free(c);
	return close(fd);
}

void
web_connections_forget(struct web *w)
{
	while (!LIST_EMPTY(&w->connections))
		connection_free(LIST_FIRST(&w->connections));
}

/* Whether one end of a socket is this address, in libcurl's spelling, and port. */
static bool
end_is(int (*name)(int, struct sockaddr *, socklen_t *), curl_socket_t fd, const char *text,
    int port)
{
	struct sockaddr_storage a;
	struct sockaddr_in *v4 = (struct sockaddr_in *)&a;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&a;
	socklen_t n = sizeof(a);
	char spelled[INET6_ADDRSTRLEN] = "";

	if (name(fd, (struct sockaddr *)&a, &n) != 0)
		return false;
	if (a.ss_family == AF_INET)
		return ntohs(v4->sin_port) == port &&
		    evutil_inet_ntop(AF_INET, &v4->sin_addr, spelled, sizeof(spelled)) != NULL &&
		    strcmp(spelled, text) == 0;
	return a.ss_family == AF_INET6 && ntohs(v6->sin6_port) == port &&
	    evutil_inet_ntop(AF_INET6, &v6->sin6_addr, spelled, sizeof(spelled)) != NULL &&
	    strcmp(spelled, text) == 0;
}

struct web_connection *
web_connection_find(struct web *w, const struct web_ends *ends)
{
	struct web_connection *c;

	LIST_FOREACH(c, &w->connections, link)
		if (end_is(getsockname, c->fd, ends->local, ends->local_port) &&
		    end_is(getpeername, c->fd, ends->remote, ends->remote_port))
			return c;
	return NULL;
}

void
web_connection_is_http2(struct web_connection *c)
{
	if (c != NULL)
		c->is_http2 = true;
}

/* Shut down, the request cannot be sent, and libcurl takes another connection by itself, as for one
 * that the server has closed meanwhile. */
void
web_connection_refuse_unasked(struct web_connection *c)
{
	char byte;

	if (c != NULL && !c->is_http2 && recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0)
		(void)shutdown(c->fd, SHUT_RDWR);
}
