/* SPDX-License-Identifier: MIT */
/*
 * redis_trouble: the log's lines of a link that goes down. Each reason of an outage is a warning
 * once, for a Redis that is away for an hour would fill the log; and its first reason may hide the
 * one that lasts: it is restarted, and then shows a certificate that has expired.
 */
#include <stdio.h>
#include <string.h>

#include <event2/bufferevent.h>
#include <event2/util.h>

#include "tenantgate/base/log.h"
#include "wire/peer_tls.h"
#include "wire/redis_internal.h"

#define CA_REMEDY "redis_ca_file names a private authority"

static bool
trouble_is_told(const struct redis_link *l)
{
	for (unsigned i = 0; i < l->told_count; i++)
		if (strncmp(l->told[i], l->trouble, REDIS_TOLD_SIZE - 1) == 0)
			return true;
	return false;
}

void
redis_trouble_log(struct redis_link *l, bool is_first)
{
	bool is_news;

	if (is_first)
		l->told_count = 0;
	is_news = !l->is_quiet && l->told_count < REDIS_TOLD_MAX && !trouble_is_told(l);
	if (is_news)
		(void)snprintf(l->told[l->told_count++], REDIS_TOLD_SIZE, "%.*s",
		    REDIS_TOLD_SIZE - 1, l->trouble);
	log_event(is_news ? LOG_WARNING : LOG_DEBUG, "redis.down", NULL,
	    "The link for %s to Redis at %s:%u is down and will be tried again. %s", l->ops->name,
	    l->url->host, l->url->port, l->trouble);
}

const char *
redis_trouble_late(const struct redis_link *l)
{
	if (l->state == LINK_HANDSHAKE)
		return "did not answer the handshake";
	return redis_dial_is_in_tls(l) ? "did not complete TLS's handshake"
				       : "did not accept the connection";
}

void
redis_trouble_ended(const struct redis_link *l, short what, int error, unsigned long tls,
    char out[REDIS_TROUBLE_SIZE])
{
	bool has_ended = (what & BEV_EVENT_EOF) || tls != 0;
	bool in_handshake = l->state == LINK_CONNECT && l->tls != NULL && has_ended;
	long verdict = redis_dial_verdict(l);
	char words[200];

	if (verdict != X509_V_OK) {
		peer_tls_describe(words, sizeof(words), l->url->host, verdict, l->ca_file);
		(void)snprintf(out, REDIS_TROUBLE_SIZE, "TLS failed: %s; " CA_REMEDY ".", words);
	} else if (in_handshake || (tls != 0 && !peer_tls_is_end(tls))) {
		(void)snprintf(out, REDIS_TROUBLE_SIZE,
		    "TLS failed: %.120s; look at the port, and at rediss:// in redis_url.",
		    peer_tls_error_words(tls));
	} else if (has_ended) {
		(void)snprintf(out, REDIS_TROUBLE_SIZE, "Redis closed the connection.");
	} else {
		(void)snprintf(out, REDIS_TROUBLE_SIZE, "The connection failed: %.100s.",
		    evutil_socket_error_to_string(error));
	}
}
