/* SPDX-License-Identifier: MIT */
/*
 * redis_dial: what a link needs before it can connect: a socket (in TLS, for rediss://), the next
 * of the host's addresses, and a reader of replies with a ceiling.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <openssl/ssl.h>

#include "wire/peer_tls.h"
#include "wire/redis_internal.h"

#define REPLY_ELEMENTS_MAX 65536 /* of one array */

/* The configured certificate authorities, or the system's, and no way to do without. The name is
 * checked for each connection, below. */
SSL_CTX *
redis_tls_new(const char *ca_file)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	int known;

	if (ctx == NULL)
		return NULL;
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	known = ca_file != NULL ? SSL_CTX_load_verify_locations(ctx, ca_file, NULL)
				: SSL_CTX_set_default_verify_paths(ctx);
	if (known == 1 && SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1)
		return ctx;
	SSL_CTX_free(ctx);
	return NULL;
}

/* The certificate must be for the name (or the address) of the URL. A name is also sent (SNI); an
 * address must not be (RFC 6066, 3). The caller owns the SSL. */
static SSL *
dial_tls(const struct redis_link *l)
{
	SSL *ssl = SSL_new(l->tls);
	unsigned char raw[16];
	char name[DNS_NAME_MAX + 1];
	bool numeric = inet_pton(AF_INET, l->url->host, raw) == 1 ||
	    inet_pton(AF_INET6, l->url->host, raw) == 1;

	if (ssl == NULL)
		return NULL;
	if (peer_tls_expect(SSL_get0_param(ssl), l->url->host) &&
	    (numeric ||
		(peer_tls_name(l->url->host, name) && SSL_set_tlsext_host_name(ssl, name) == 1)))
		return ssl;
	SSL_free(ssl);
	return NULL;
}

/* DEFER_CALLBACKS: they come from the loop, never from within a bufferevent_write() or connect() of
 * ours, so whoever drops the link in one has nobody of ours above it on the stack. CLOSE_ON_FREE
 * closes the socket and frees the SSL. */
struct bufferevent *
redis_dial_new(const struct redis_link *l)
{
	struct event_base *base = worker_base(l->worker);
	int options = BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS;
	SSL *ssl;

	if (l->tls == NULL)
		return bufferevent_socket_new(base, -1, options);
	ssl = dial_tls(l);
	if (ssl == NULL)
		return NULL;
	return bufferevent_openssl_socket_new(base, -1, ssl, BUFFEREVENT_SSL_CONNECTING, options);
}

long
redis_dial_verdict(const struct redis_link *l)
{
	const SSL *ssl = bufferevent_openssl_get_ssl(l->bev);

	return ssl != NULL ? peer_tls_verdict(ssl, NULL) : X509_V_OK;
}

bool
redis_dial_is_in_tls(const struct redis_link *l)
{
	struct sockaddr_storage peer;
	socklen_t len = sizeof(peer);

	return l->tls != NULL &&
	    getpeername(bufferevent_getfd(l->bev), (struct sockaddr *)&peer, &len) == 0;
}

/* NODELAY: commands are small, and must not wait for each other's ACKs (Nagle). KEEPALIVE: finds
 * out about a peer that vanished while nothing is sent. */
void
redis_dial_connected(int fd)
{
	int on = 1;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
}

/* Another address at each attempt: of several, one may be dead. 0: not an address. */
socklen_t
redis_dial_address(const struct redis_link *l, struct sockaddr_storage *ss)
{
	const char *text = l->addresses.addr[l->attempts % l->addresses.count];
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)ss;
	struct sockaddr_in *four = (struct sockaddr_in *)ss;

	memset(ss, 0, sizeof(*ss));
	if (inet_pton(AF_INET6, text, &six->sin6_addr) == 1) {
		six->sin6_family = AF_INET6;
		six->sin6_port = htons(l->url->port);
		return sizeof(*six);
	}
	if (inet_pton(AF_INET, text, &four->sin_addr) != 1)
		return 0;
	four->sin_family = AF_INET;
	four->sin_port = htons(l->url->port);
	return sizeof(*four);
}

/* hiredis 1.0 changed the type of createArray()'s count. */
#if HIREDIS_MAJOR >= 1
#define REPLY_COUNT size_t
#else
#define REPLY_COUNT int
#endif

/* hiredis' createArray() with a ceiling. An array's length comes before its elements, and hiredis
 * makes room at once for as many as the peer says, up to 2^31 pointers. NULL is "out of memory" to
 * the reader, which drops the link. The parent's slot is set as hiredis' own function does. */
static void *
reply_array(const redisReadTask *task, REPLY_COUNT n)
{
	redisReply *r;

	if (n > REPLY_ELEMENTS_MAX)
		return NULL;
	r = calloc(1, sizeof(*r));
	if (r == NULL)
		return NULL;
	r->type = task->type;
	r->elements = (size_t)n;
	r->element = n > 0 ? calloc((size_t)n, sizeof(r->element[0])) : NULL;
	if (n > 0 && r->element == NULL) {
		free(r);
		return NULL;
	}
	if (task->parent != NULL)
		((redisReply *)task->parent->obj)->element[task->idx] = r;
	return r;
}

/* redisReaderCreate() has a table of functions, constant and shared: *fn is a copy of it for this
 * reader, which keeps the pointer. */
redisReader *
redis_reader_new(redisReplyObjectFunctions *fn)
{
	redisReader *r = redisReaderCreate();

	if (r == NULL)
		return NULL;
	*fn = *r->fn;
	fn->createArray = reply_array;
	r->fn = fn;
	return r;
}
