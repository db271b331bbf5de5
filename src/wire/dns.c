/* SPDX-License-Identifier: MIT */
/*
 * dns: names to addresses on the worker's loop, evdns underneath.
 *
 *	dns_lookup --> numeric? in /etc/hosts? kept? --yes--> answered at once
 *	                 | no
 *	                 v
 *	     [asked: A and AAAA together] --both in, or the timer--> kept, asker told, freed
 *
 * evdns always calls back once for each question, also long after we gave up on it, and there is
 * no taking that back: an ask therefore counts what it still awaits, and is freed by the last
 * callback. When one family has answered with addresses, the other gets DNS_GRACE_US more.
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

#include "wire/dns_ask.h"
#include "wire/dns_hosts.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/base/log.h"
#include "tenantgate/base/map.h"

#define DNS_NAMES_MAX	    1024
#define DNS_KEEP_FAILURE_US (1 * 1000000ull)
#define DNS_GRACE_US	    (50 * 1000ull)
#define DNS_TRIES	    3

_Static_assert(DNS_ADDR_SIZE == INET6_ADDRSTRLEN, "as the system writes addresses");

enum { DNS_A, DNS_AAAA, DNS_FAMILIES };

struct dns {
	struct worker *worker;	  /* borrowed */
	struct evdns_base *evdns; /* owned */
	struct dns_hosts *hosts;  /* owned */
	struct map *kept;	  /* name -> struct dns_kept, owned */
	uint64_t timeout_us;
	LIST_HEAD(, dns_ask) asks; /* with a callback to come */
};

struct dns_kept {
	uint64_t until_us; /* monotonic */
	struct dns_answer answer;
};

enum dns_ask_state { ASK_OPEN, ASK_TOLD };

struct dns_ask {
	LIST_ENTRY(dns_ask) link;
	struct dns *dns; /* borrowed */
	enum dns_ask_state state;
	unsigned awaited; /* callbacks of evdns still to come */
	int failure;	  /* evdns' code of the last failed family */
	uint32_t ttl_s;
	struct dns_answer found[DNS_FAMILIES];
	struct timer timer;
	struct dns_answer *out; /* borrowed; NULL when nobody listens any more */
	dns_done_fn *done;
	void *arg;
	char name[DNS_NAME_MAX + 1];
};

static void
dns_release(struct dns *d)
{
	dns_hosts_free(d->hosts);
	map_free(d->kept);
	free(d);
}

static void
ask_free(struct dns_ask *ask)
{
	struct dns *d = ask->dns;

	timer_free(&ask->timer);
	LIST_REMOVE(ask, link);
	free(ask);
	if (d->evdns == NULL && LIST_EMPTY(&d->asks))
		dns_release(d); /* the last one of a closed resolver */
}

static void
answer_keep(struct dns *d, const char *name, const struct dns_answer *a, uint64_t keep_us)
{
	struct dns_kept *k = calloc(1, sizeof(*k));

	if (k == NULL)
		return;
	k->until_us = clock_mono_us() + keep_us;
	k->answer = *a;
	if (!map_put(d->kept, slice_str(name), k))
		free(k);
}

/* IPv4 first: containers without an IPv6 route are common, hosts without IPv4 are not. */
static void
ask_collect(const struct dns_ask *ask, struct dns_answer *a)
{
	memset(a, 0, sizeof(*a));
	for (int family = DNS_A; family < DNS_FAMILIES; family++)
		for (unsigned i = 0; i < ask->found[family].count; i++)
			(void)dns_add_numeric(a, ask->found[family].addr[i]);
	if (a->count > 0)
		return;
	if (ask->awaited > 0 || ask->failure == DNS_ERR_TIMEOUT)
		err_set(&a->err, ERR_TIMEOUT, "Looking up %s timed out.", ask->name);
	else
		err_set(&a->err, ERR_UPSTREAM, "Looking up %s failed: %s.", ask->name,
		    ask->failure != 0 ? evdns_err_to_string(ask->failure) : "no address");
}

/* The one way from ASK_OPEN to ASK_TOLD. */
static void
ask_tell(struct dns_ask *ask)
{
	struct dns_answer a;
	uint64_t keep_us = DNS_KEEP_FAILURE_US;

	assert(ask->state == ASK_OPEN);
	ask->state = ASK_TOLD;
	timer_stop(&ask->timer);
	ask_collect(ask, &a);
	if (a.count > 0)
		keep_us = (uint64_t)ask->ttl_s * 1000000;
	answer_keep(ask->dns, ask->name, &a, keep_us < DNS_KEEP_US ? keep_us : DNS_KEEP_US);
	if (ask->out == NULL)
		return;
	*ask->out = a;
	ask->done(ask->arg);
}

static void
ask_timed_out(void *arg)
{
	ask_tell(arg);
}

static void
ask_add(struct dns_ask *ask, char type, int count, const void *addresses)
{
	int family = type == DNS_IPv6_AAAA ? AF_INET6 : AF_INET;
	size_t size = family == AF_INET6 ? 16 : 4;
	struct dns_answer *a = &ask->found[family == AF_INET6 ? DNS_AAAA : DNS_A];
	char text[DNS_ADDR_SIZE];

	for (int i = 0; i < count; i++)
		if (inet_ntop(family, (const char *)addresses + (size_t)i * size, text,
			sizeof(text)) != NULL)
			(void)dns_add_numeric(a, text);
}

static void
on_answer(int result, char type, int count, int ttl, void *addresses, void *arg)
{
	struct dns_ask *ask = arg;

	ask->awaited--;
	if (result == DNS_ERR_NONE && count > 0) {
		ask_add(ask, type, count, addresses);
		if ((uint32_t)ttl < ask->ttl_s)
			ask->ttl_s = (uint32_t)ttl;
	} else if (result != DNS_ERR_NODATA) {
		ask->failure = result;
	}
	if (ask->state == ASK_OPEN) {
		if (ask->awaited == 0)
			ask_tell(ask);
		else if (result == DNS_ERR_NONE && count > 0)
			timer_start(&ask->timer, DNS_GRACE_US);
	}
	if (ask->awaited == 0)
		ask_free(ask);
}

/* "Db.Example." and "db.example" are the same question. */
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

static bool
answer_at_once(struct dns *d, const char *name, struct dns_answer *out)
{
	const struct dns_kept *k;

	if (dns_add_numeric(out, name) || dns_hosts_find(d->hosts, name, out))
		return true;
	k = map_get(d->kept, slice_str(name));
	if (k == NULL || k->until_us <= clock_mono_us())
		return false;
	*out = k->answer;
	return true;
}

static struct dns_ask *
ask_new(struct dns *d, const char *name)
{
	struct dns_ask *ask = calloc(1, sizeof(*ask));

	if (ask == NULL)
		return NULL;
	if (!timer_init(&ask->timer, d->worker, ask_timed_out, ask)) {
		free(ask);
		return NULL;
	}
	ask->dns = d;
	ask->ttl_s = UINT32_MAX;
	memcpy(ask->name, name, strlen(name) + 1);
	LIST_INSERT_HEAD(&d->asks, ask, link);
	if (evdns_base_resolve_ipv4(d->evdns, name, 0, on_answer, ask) != NULL)
		ask->awaited++;
	if (evdns_base_resolve_ipv6(d->evdns, name, 0, on_answer, ask) != NULL)
		ask->awaited++;
	if (ask->awaited > 0)
		return ask;
	ask_free(ask);
	return NULL;
}

struct dns_ask *
dns_ask(struct dns *d, const char *host, struct dns_answer *out, dns_done_fn *done, void *arg)
{
	char name[DNS_NAME_MAX + 1];
	struct dns_ask *ask;

	memset(out, 0, sizeof(*out));
	if (!name_fold(host, name)) {
		err_set(&out->err, ERR_UPSTREAM, "Host name is empty or too long.");
		return NULL;
	}
	if (answer_at_once(d, name, out))
		return NULL;
	ask = ask_new(d, name);
	if (ask == NULL) {
		err_set(&out->err, ERR_UPSTREAM, "Looking up %s could not be asked.", name);
		return NULL;
	}
	ask->out = out;
	ask->done = done;
	ask->arg = arg;
	timer_start(&ask->timer, d->timeout_us);
	return ask;
}

void
dns_forget(struct dns_ask *ask)
{
	ask->out = NULL;
}

static void
lookup_done(void *arg)
{
	flow_wake(arg);
}

static void
lookup_cancel(void *arg)
{
	dns_forget(arg);
}

enum flow_rc
dns_lookup(struct flow *f, struct dns *d, const char *host, struct dns_answer *out)
{
	struct dns_ask *ask = dns_ask(d, host, out, lookup_done, f);

	return ask == NULL ? FLOW_NEXT : flow_wait(f, lookup_cancel, ask);
}

static void
evdns_says(int is_warning, const char *message)
{
	log_event(is_warning ? LOG_INFO : LOG_DEBUG, "dns.evdns", NULL, "%s", message);
}

/* Without a readable resolv.conf evdns asks this machine; addresses and hosts work all the same. */
static bool
evdns_find_servers(struct dns *d, const char *nameserver)
{
	if (nameserver != NULL)
		return evdns_base_nameserver_ip_add(d->evdns, nameserver) == 0;
	if (evdns_base_resolv_conf_parse(d->evdns, DNS_OPTIONS_ALL, "/etc/resolv.conf") != 0)
		log_event(LOG_NOTICE, "dns.resolv_conf", NULL, "/etc/resolv.conf names no server");
	return true;
}

static bool
evdns_set_up(struct dns *d, const char *nameserver)
{
	char seconds[32];

	evdns_set_log_fn(evdns_says);
	d->evdns = evdns_base_new(worker_base(d->worker), EVDNS_BASE_DISABLE_WHEN_INACTIVE);
	if (d->evdns == NULL || !evdns_find_servers(d, nameserver))
		return false;
	(void)snprintf(seconds, sizeof(seconds), "%.3f", (double)d->timeout_us / 1e6 / DNS_TRIES);
	(void)evdns_base_set_option(d->evdns, "timeout:", seconds);
	(void)evdns_base_set_option(d->evdns, "initial-probe-timeout:", "1");
	return true;
}

struct dns *
dns_open(struct worker *w, const char *nameserver, uint64_t timeout_us)
{
	struct dns *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return NULL;
	d->worker = w;
	d->timeout_us = timeout_us;
	LIST_INIT(&d->asks);
	d->kept = map_new(DNS_NAMES_MAX, free);
	d->hosts = dns_hosts_new("/etc/hosts");
	if (d->hosts == NULL || !evdns_set_up(d, nameserver)) {
		dns_close(d);
		return NULL;
	}
	return d;
}

/* evdns calls back for what is under way at the loop's next turn: it is turned here, for after the
 * worker's end there is no next one. The last ask takes the resolver with it. */
void
dns_close(struct dns *d)
{
	struct dns_ask *ask;
	struct event_base *base;

	if (d == NULL)
		return;
	LIST_FOREACH(ask, &d->asks, link) {
		dns_forget(ask);
		timer_stop(&ask->timer);
		ask->state = ASK_TOLD;
	}
	base = worker_base(d->worker);
	if (d->evdns != NULL)
		evdns_base_free(d->evdns, 1);
	d->evdns = NULL;
	if (LIST_EMPTY(&d->asks))
		dns_release(d);
	else
		(void)event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
}
