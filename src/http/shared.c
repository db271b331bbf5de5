/* SPDX-License-Identifier: MIT */
/*
 * shared: how many connections the whole process has, in all and by address, for all workers. The
 * total is an atomic; the addresses are counted under a mutex, and only when there is a limit on
 * them. IPv6 clients are counted by their /64, the least that a network hands to one customer (RFC
 * 6177): by single addresses one customer could have 2^64 times the limit.
 */
#include "http/conn_state.h"

#include <pthread.h>
#include <stdlib.h>

#include "tenantgate/base/alloc.h"
#include "tenantgate/base/map.h"

struct http_shared {
	atomic_uint	 total;
	_Atomic uint64_t accepted, refused;	/* since the start */
	atomic_uint	 handshakes;	/* under way */
	pthread_mutex_t	 lock;		/* of `addresses`; held for one look-up and change */
	struct map	*addresses;	/* owned: address -> count, as a pointer's value */
};

struct http_shared *
http_shared_new(void)
{
	struct http_shared *sh = xcalloc(1, sizeof(*sh));

	sh->addresses = map_new(0, NULL);
	if (pthread_mutex_init(&sh->lock, NULL) != 0)
		abort();
	return sh;
}

void
http_shared_free(struct http_shared *sh)
{
	if (sh == NULL)
		return;
	map_free(sh->addresses);
	pthread_mutex_destroy(&sh->lock);
	free(sh);
}

unsigned
http_shared_connections(const struct http_shared *sh)
{
	return atomic_load(&sh->total);
}

uint64_t
http_shared_accepted(const struct http_shared *sh)
{
	return atomic_load_explicit(&sh->accepted, memory_order_relaxed);
}

uint64_t
http_shared_refused(const struct http_shared *sh)
{
	return atomic_load_explicit(&sh->refused, memory_order_relaxed);
}

unsigned
http_shared_handshakes(const struct http_shared *sh)
{
	return atomic_load_explicit(&sh->handshakes, memory_order_relaxed);
}

void
shared_handshakes_add(struct http_shared *sh, int n)
{
	atomic_fetch_add_explicit(&sh->handshakes, (unsigned)n, memory_order_relaxed);
}

/* The whole of an IPv4 address (in its mapped form), the upper half of an IPv6 one. */
struct slice
address_network(const struct in6_addr *a)
{
	return slice_of((const char *)a, IN6_IS_ADDR_V4MAPPED(a) ? sizeof(*a) : sizeof(*a) / 2);
}

/* False also without memory for one more address: an uncounted connection would not be limited. */
static bool
address_add(struct http_shared *sh, struct slice key, unsigned max)
{
	uintptr_t n;
	bool ok;

	pthread_mutex_lock(&sh->lock);
	n = (uintptr_t)map_get(sh->addresses, key);
	ok = n < max && map_put(sh->addresses, key, (void *)(n + 1));
	pthread_mutex_unlock(&sh->lock);
	return ok;
}

/* An address without connections takes no memory. */
static void
address_remove(struct http_shared *sh, struct slice key)
{
	uintptr_t n;

	pthread_mutex_lock(&sh->lock);
	n = (uintptr_t)map_get(sh->addresses, key);
	if (n <= 1)
		map_del(sh->addresses, key);
	else
		map_put(sh->addresses, key, (void *)(n - 1));
	pthread_mutex_unlock(&sh->lock);
}

/* A few places of the ceiling are kept for probes; none where there are no probes, and none of a
 * ceiling so low that they would be missed. */
static unsigned
ordinary_places(const struct http_conf *conf)
{
	unsigned spares = conf->is_probe == NULL ? 0 : conf->max_client_conn / 16;

	return conf->max_client_conn - (spares < CONN_SPARES_MAX ? spares : CONN_SPARES_MAX);
}

/* Added first, taken back when that was too much: two workers at the limit cannot both get in. */
enum conn_place
shared_enter(struct http_shared *sh, const struct http_conf *conf)
{
	unsigned before = atomic_fetch_add(&sh->total, 1);

	if (before < conf->max_client_conn) {
		atomic_fetch_add_explicit(&sh->accepted, 1, memory_order_relaxed);
		return before < ordinary_places(conf) ? SHARED_ORDINARY : SHARED_SPARE;
	}
	atomic_fetch_sub(&sh->total, 1);
	atomic_fetch_add_explicit(&sh->refused, 1, memory_order_relaxed);
	return SHARED_FULL;
}

bool
shared_has_room(const struct http_shared *sh, const struct http_conf *conf)
{
	return atomic_load(&sh->total) <= ordinary_places(conf);
}

void
shared_leave(struct http_shared *sh)
{
	atomic_fetch_sub(&sh->total, 1);
}

bool
shared_address_enter(struct http_shared *sh, const struct http_conf *conf, const struct in6_addr *a)
{
	return conf->max_client_conn_per_ip == 0 ||
	    address_add(sh, address_network(a), conf->max_client_conn_per_ip);
}

void
shared_address_leave(struct http_shared *sh, const struct http_conf *conf, const struct in6_addr *a)
{
	if (conf->max_client_conn_per_ip > 0)
		address_remove(sh, address_network(a));
}
