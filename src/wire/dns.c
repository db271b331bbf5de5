/* SPDX-License-Identifier: MIT */
/*
 * dns: names to addresses on the worker's loop, evdns (libevent 2.1) underneath.
 *
 *	dns_lookup --> numeric? in /etc/hosts? cached? --yes--> answered at once
 *	                 | no
 *	                 v
 *	     [open: A and AAAA asked for] --both, or the timer--> [answered]: cached, done() called
 *	                                                              |
 *	                                      evdns' last callback ---+--> freed
 *
 * evdns calls back exactly once for each of the two, and always from the loop. That callback may
 * come long after we gave up, and evdns_cancel_request() does not prevent it (it comes with
 * DNS_ERR_CANCEL): so a query counts the callbacks it still awaits, and the last one frees it. When
 * one family has answered with addresses, the other gets DNS_GRACE_US more.
 *
 * What evdns does not do: it reads /etc/hosts only for its own getaddrinfo, caches nothing, and
 * asks over UDP alone: an answer that was truncated to fit has failed.
 */
#include "tenantgate/wire/dns.h"

#include <sys/queue.h>

#include <arpa/inet.h>
#include <assert.h>
#include <ctype.h>
#include <event2/dns.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tenantgate/base/alloc.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/base/log.h"
#include "tenantgate/base/map.h"
#include "wire/dns_hosts.h"
#include "wire/dns_query.h"

#define DNS_NAMES_MAX	    1024	     /* cached, for each worker */
#define DNS_KEEP_FAILURE_US (1 * 1000000ull) /* spares the resolver a crowd of the same question */
#define DNS_GRACE_US	    (50 * 1000ull)
#define DNS_TRIES	    3 /* evdns' default for "attempts": each has a third of the time-out */

_Static_assert(DNS_ADDR_SIZE == INET6_ADDRSTRLEN, "as the system writes addresses");

enum { DNS_A, DNS_AAAA, DNS_FAMILIES };

struct dns {
	struct worker *worker;	  /* borrowed */
	struct evdns_base *evdns; /* owned */
	struct dns_hosts *hosts;  /* owned */
	struct map *cache;	  /* name -> struct dns_cached, owned */
	uint64_t timeout_us;	  /* of one lookup, all its tries */
	LIST_HEAD(, dns_query) queries; /* all with a callback to come */
};

struct dns_cached {
	uint64_t until_us; /* monotonic */
	struct dns_answer answer;
};

/* Answered: done() has been called, or will not be; only evdns' callbacks are awaited. */
enum dns_query_state { DNS_QUERY_OPEN, DNS_QUERY_ANSWERED };

struct dns_query {
	LIST_ENTRY(dns_query) link;
	struct dns *dns; /* borrowed */
	enum dns_query_state state;
	unsigned awaited; /* callbacks of evdns still to come */
	int failure;	  /* evdns' code of the last failed family */
	uint32_t ttl_s;	  /* the shortest of the records */
	struct dns_answer found[DNS_FAMILIES];
	struct timer timer;	/* the time-out, then the grace for the other family */
	struct dns_answer *out; /* borrowed; NULL once cancelled */
	dns_done_fn *done;
	void *arg;
	char name[DNS_NAME_MAX + 1];
};

/* dns_close() calls this, or the last query that outlives it. */
static void
dns_release(struct dns *d)
{
	dns_hosts_free(d->hosts);
	map_free(d->cache);
	free(d);
}

static void
dns_query_free(struct dns_query *query)
{
	struct dns *d = query->dns;

	timer_free(&query->timer);
	LIST_REMOVE(query, link);
	free(query);
	if (d->evdns == NULL && LIST_EMPTY(&d->queries))
		dns_release(d); /* the last one of a closed resolver */
}

/* A TTL of 0 makes an entry that has ended already: no harm. */
static void
dns_answer_cache(struct dns *d, const char *name, const struct dns_answer *a, uint64_t keep_us)
{
	struct dns_cached *k = xcalloc(1, sizeof(*k));

	k->until_us = clock_mono_us() + keep_us;
	k->answer = *a;
	if (!map_put(d->cache, slice_str(name), k))
		free(k);
}

/* IPv4 first: containers without an IPv6 route are common, hosts without IPv4 are not. */
static void
dns_query_collect(const struct dns_query *query, struct dns_answer *a)
{
	memset(a, 0, sizeof(*a));
	for (int family = DNS_A; family < DNS_FAMILIES; family++)
		for (unsigned i = 0; i < query->found[family].count; i++)
			(void)dns_add_numeric(a, query->found[family].addr[i]);
	if (a->count > 0)
		return;
	if (query->awaited > 0 || query->failure == DNS_ERR_TIMEOUT)
		err_set(&a->err, ERR_TIMEOUT,
		    "Looking up %s timed out. Check the name servers in /etc/resolv.conf.",
		    query->name);
	else
		err_set(&a->err, ERR_UPSTREAM, "Looking up %s failed: %s. Check the host's name.",
		    query->name,
		    query->failure != 0 ? evdns_err_to_string(query->failure) : "no address");
}

/* The one way from open to answered. The query itself lives on until evdns has called back. */
static void
dns_query_finish(struct dns_query *query)
{
	struct dns_answer a;
	uint64_t keep_us = DNS_KEEP_FAILURE_US;

	assert(query->state == DNS_QUERY_OPEN);
	query->state = DNS_QUERY_ANSWERED;
	timer_stop(&query->timer);
	dns_query_collect(query, &a);
	if (a.count > 0)
		keep_us = (uint64_t)query->ttl_s * 1000000;
	dns_answer_cache(query->dns, query->name, &a,
	    keep_us < DNS_KEEP_US ? keep_us : DNS_KEEP_US);
	if (query->out == NULL)
		return;
	*query->out = a;
	query->done(query->arg);
}

/* Neither family has answered within the time-out, or one has and the other's grace is over. */
static void
dns_query_timed_out(void *arg)
{
	dns_query_finish(arg);
}

/* evdns hands out addresses as a run of 4 or 16 bytes each, in network order; libpq wants text. */
static void
dns_query_add(struct dns_query *query, char type, int count, const void *addresses)
{
	int family = type == DNS_IPv6_AAAA ? AF_INET6 : AF_INET;
	size_t size = family == AF_INET6 ? 16 : 4;
	struct dns_answer *a = &query->found[family == AF_INET6 ? DNS_AAAA : DNS_A];
	char text[DNS_ADDR_SIZE];

	for (int i = 0; i < count; i++)
		if (inet_ntop(family, (const char *)addresses + (size_t)i * size, text,
			sizeof(text)) != NULL)
			(void)dns_add_numeric(a, text);
}

/* evdns' callback, once for each family. NODATA (the name has no such address) is no failure: most
 * names have no AAAA record. A family that answers after the query was answered is only counted. */
static void
evdns_on_answer(int result, char type, int count, int ttl, void *addresses, void *arg)
{
	struct dns_query *query = arg;

	query->awaited--;
	if (result == DNS_ERR_NONE && count > 0) {
		dns_query_add(query, type, count, addresses);
		if ((uint32_t)ttl < query->ttl_s)
			query->ttl_s = (uint32_t)ttl;
	} else if (result != DNS_ERR_NODATA) {
		query->failure = result;
	}
	if (query->state == DNS_QUERY_OPEN) {
		if (query->awaited == 0)
			dns_query_finish(query);
		else if (result == DNS_ERR_NONE && count > 0)
			timer_start(&query->timer, DNS_GRACE_US);
	}
	if (query->awaited == 0)
		dns_query_free(query);
}

/* "Db.Example." and "db.example" are the same question (RFC 4343): one key for the cache. */
static bool
name_fold(const char *host, char *name)
{
	size_t len = strlen(host);

	if (len > 1 && host[len - 1] == '.')
		len--;
	if (len == 0 || len > DNS_NAME_MAX)
		return false;
	for (size_t i = 0; i < len; i++)
		name[i] = (char)tolower((unsigned char)host[i]);
	name[len] = '\0';
	return true;
}

/* Also true for a cached failure. */
static bool
dns_answer_known(struct dns *d, const char *name, struct dns_answer *out)
{
	const struct dns_cached *k;

	if (dns_add_numeric(out, name) || dns_hosts_find(d->hosts, name, out))
		return true;
	k = map_get(d->cache, slice_str(name));
	if (k == NULL || k->until_us <= clock_mono_us())
		return false;
	*out = k->answer;
	return true;
}

/* NULL when evdns takes neither question; one is enough to go on. */
static struct dns_query *
dns_query_new(struct dns *d, const char *name)
{
	struct dns_query *query = xcalloc(1, sizeof(*query));

	if (!timer_init(&query->timer, d->worker, dns_query_timed_out, query)) {
		free(query);
		return NULL;
	}
	query->dns = d;
	query->ttl_s = UINT32_MAX;
	memcpy(query->name, name, strlen(name) + 1);
	LIST_INSERT_HEAD(&d->queries, query, link);
	if (evdns_base_resolve_ipv4(d->evdns, name, 0, evdns_on_answer, query) != NULL)
		query->awaited++;
	if (evdns_base_resolve_ipv6(d->evdns, name, 0, evdns_on_answer, query) != NULL)
		query->awaited++;
	if (query->awaited > 0)
		return query;
	dns_query_free(query);
	return NULL;
}

struct dns_query *
dns_query(struct dns *d, const char *host, struct dns_answer *out, dns_done_fn *done, void *arg)
{
	char name[DNS_NAME_MAX + 1];
	struct dns_query *query;

	memset(out, 0, sizeof(*out));
	if (!name_fold(host, name)) {
		err_set(&out->err, ERR_UPSTREAM,
		    "A host name is empty or longer than %d bytes. Correct it in the URL.",
		    DNS_NAME_MAX);
		return NULL;
	}
	if (dns_answer_known(d, name, out))
		return NULL;
	query = dns_query_new(d, name);
	if (query == NULL) {
		err_set(&out->err, ERR_UPSTREAM,
		    "Looking up %s could not be started. Check the host's name.", name);
		return NULL;
	}
	query->out = out;
	query->done = done;
	query->arg = arg;
	timer_start(&query->timer, d->timeout_us);
	return query;
}

void
dns_query_cancel(struct dns_query *query)
{
	query->out = NULL;
}

static void
lookup_done(void *arg)
{
	flow_wake(arg);
}

static void
lookup_cancel(void *arg)
{
	dns_query_cancel(arg);
}

enum flow_rc
dns_lookup(struct flow *f, struct dns *d, const char *host, struct dns_answer *out)
{
	struct dns_query *query = dns_query(d, host, out, lookup_done, f);

	return query == NULL ? FLOW_NEXT : flow_wait(f, lookup_cancel, query);
}

/* evdns has one log for the whole process. Its warnings ("All nameservers have failed") may come
 * for every lost packet: no more than information, for the lookup's own error says what it
 * meant. */
static void
evdns_on_log(int is_warning, const char *message)
{
	log_event(is_warning ? LOG_INFO : LOG_DEBUG, "dns.evdns", NULL, "%s", message);
}

/* Without a readable resolv.conf evdns asks 127.0.0.1. Addresses and /etc/hosts work. */
static bool
evdns_find_servers(struct dns *d, const char *nameserver)
{
	if (nameserver != NULL)
		return evdns_base_nameserver_ip_add(d->evdns, nameserver) == 0;
	if (evdns_base_resolv_conf_parse(d->evdns, DNS_OPTIONS_ALL, "/etc/resolv.conf") != 0)
		log_event(LOG_NOTICE, "dns.resolv_conf", NULL,
		    "The file /etc/resolv.conf cannot be read or names no server: names are "
		    "asked for at 127.0.0.1.");
	return true;
}

/* DISABLE_WHEN_INACTIVE: an idle resolver does not keep the loop alive. A name server that did not
 * answer is tried again after one second, where evdns would wait ten: mostly it only restarts. */
static bool
evdns_set_up(struct dns *d, const char *nameserver)
{
	char seconds[32];

	evdns_set_log_fn(evdns_on_log);
	d->evdns = evdns_base_new(worker_base(d->worker), EVDNS_BASE_DISABLE_WHEN_INACTIVE);
	if (d->evdns == NULL || !evdns_find_servers(d, nameserver))
		return false;
	(void)snprintf(seconds, sizeof(seconds), "%.3f", (double)d->timeout_us / 1e6 / DNS_TRIES);
	(void)evdns_base_set_option(d->evdns, "timeout:", seconds);
	(void)evdns_base_set_option(d->evdns, "initial-probe-timeout:", "1");
	return true;
}

bool
dns_nameserver_is_valid(const char *nameserver)
{
	struct sockaddr_storage address;
	int size = sizeof(address);

	return evutil_parse_sockaddr_port(nameserver, (struct sockaddr *)&address, &size) == 0;
}

struct dns *
dns_open(struct worker *w, const char *nameserver, uint64_t timeout_us)
{
	struct dns *d = xcalloc(1, sizeof(*d));

	d->worker = w;
	d->timeout_us = timeout_us;
	LIST_INIT(&d->queries);
	d->cache = map_new(DNS_NAMES_MAX, free);
	d->hosts = dns_hosts_new("/etc/hosts");
	if (!evdns_set_up(d, nameserver)) {
		dns_close(d);
		return NULL;
	}
	return d;
}

/* evdns_base_free() fails what is under way, but the callbacks come at the loop's next turn: it is
 * turned here, for after the worker's end there is no next one. The last query of them frees the
 * resolver. done() is called for none: their flows have ended before. */
void
dns_close(struct dns *d)
{
	struct dns_query *query;
	struct event_base *base;

	if (d == NULL)
		return;
	LIST_FOREACH(query, &d->queries, link) {
		dns_query_cancel(query);
		timer_stop(&query->timer);
		query->state = DNS_QUERY_ANSWERED;
	}
	base = worker_base(d->worker);
	if (d->evdns != NULL)
		evdns_base_free(d->evdns, 1);
	d->evdns = NULL;
	if (LIST_EMPTY(&d->queries))
		dns_release(d);
	else
		(void)event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
}
