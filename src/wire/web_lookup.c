/* SPDX-License-Identifier: MIT */
/*
 * web_lookup: a request's host, looked up by wire/dns as databases' hosts and Redis are: the same
 * name servers, the same cache, no thread. libcurl gets the addresses as CURLOPT_RESOLVE, tries
 * them as its own, and still sends and verifies the name.
 *
 *	web_lookup_begin --numeric, known--> to libcurl
 *	       | asked
 *	       v
 *	    looked up (or its connect time-out) --> to libcurl, or the transfer's end
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tenantgate/base/alloc.h"
#include "tenantgate/base/clock.h"
#include "wire/dns_query.h"
#include "wire/web_internal.h"

/* "name:65535:" and the addresses between commas, IPv6 ones in brackets. */
#define RESOLVE_MAX (DNS_NAME_MAX + 8 + DNS_ADDRS_MAX * (DNS_ADDR_SIZE + 2))

struct web_lookup {
	struct dns_query *query; /* NULL: answered */
	struct dns_answer answer;
	struct timer timer;	    /* the connect time-out; set while the query is there */
	struct curl_slist *resolve; /* owned; libcurl borrows it */
};

static bool
resolve_add(struct web_lookup *l, const char *name, uint16_t port)
{
	struct curl_slist *grown;
	char line[RESOLVE_MAX + 1];
	size_t len = (size_t)snprintf(line, sizeof(line), "%s:%u:", name, port);

	for (unsigned i = 0; i < l->answer.count; i++) {
		bool is_v6 = strchr(l->answer.addr[i], ':') != NULL;

		len += (size_t)snprintf(line + len, sizeof(line) - len, "%s%s%s%s",
		    i > 0 ? "," : "", is_v6 ? "[" : "", l->answer.addr[i], is_v6 ? "]" : "");
	}
	grown = curl_slist_append(l->resolve, line);
	if (grown == NULL)
		return false;
	l->resolve = grown;
	return true;
}

/* A name with the root's dot behind it is another to libcurl. */
static bool
resolve_set(struct web_transfer *t)
{
	struct web_lookup *l = t->lookup;
	char dotted[DNS_NAME_MAX + 2];

	(void)snprintf(dotted, sizeof(dotted), "%s.", t->host);
	return resolve_add(l, t->host, t->port) && resolve_add(l, dotted, t->port) &&
	    curl_easy_setopt(t->easy, CURLOPT_RESOLVE, l->resolve) == CURLE_OK;
}

/* The flow is woken by web_deliver(), which may free the transfer. */
static void
lookup_failed(struct web_transfer *t, enum web_failure failure, const char *why)
{
	web_response_fail(t->response, failure, "%s", why);
	web_transfer_end(t, CURLE_OK);
	web_deliver(t);
}

static void
transfer_to_libcurl(struct web_transfer *t)
{
	struct web *w = t->web;

	if (web_add(w, t->easy))
		web_kickstart(w);
	else
		lookup_failed(t, WEB_OTHER, "libcurl takes no more requests; try again later.");
}

/* dns_done_fn */
static void
web_looked_up(void *transfer)
{
	struct web_transfer *t = transfer;
	struct web_lookup *l = t->lookup;
	uint64_t until = t->began_us + t->connect_timeout_us, now = clock_mono_us();

	l->query = NULL;
	timer_stop(&l->timer);
	if (l->answer.count == 0)
		lookup_failed(t, WEB_RESOLVE, l->answer.err.detail);
	else if (!resolve_set(t) || !web_easy_connect_within(t, until > now ? until - now : 0))
		lookup_failed(t, WEB_OTHER, "There is no memory for the request.");
	else
		transfer_to_libcurl(t);
}

static void
lookup_is_late(void *transfer)
{
	lookup_failed(transfer, WEB_TIMEOUT,
	    "The request failed to connect in time: its host's name was not looked up.");
}

static bool
host_is_numeric(const char *host)
{
	unsigned char raw[sizeof(struct in6_addr)];

	return inet_pton(AF_INET, host, raw) == 1 || inet_pton(AF_INET6, host, raw) == 1;
}

void
web_lookup_begin(struct web_transfer *t)
{
	struct web_lookup *l;

	if (t->web->dns == NULL || host_is_numeric(t->host)) {
		transfer_to_libcurl(t);
		return;
	}
	t->lookup = l = xcalloc(1, sizeof(*l));
	if (!timer_init(&l->timer, t->web->worker, lookup_is_late, t)) {
		lookup_failed(t, WEB_OTHER, "There is no memory for the request.");
		return;
	}
	l->query = dns_query(t->web->dns, t->host, &l->answer, web_looked_up, t);
	if (l->query == NULL)
		web_looked_up(t);
	else
		timer_start(&l->timer, t->connect_timeout_us);
}

void
web_lookup_end(struct web_transfer *t)
{
	struct web_lookup *l = t->lookup;

	if (l == NULL)
		return;
	if (l->query != NULL)
		dns_query_cancel(l->query);
	timer_free(&l->timer);
	curl_slist_free_all(l->resolve);
	free(l);
	t->lookup = NULL;
}
