/* SPDX-License-Identifier: MIT */
/* pool_host_view: what the pools of pool_fixture.h tell of a host. */
#ifndef TENANTGATE_TESTS_POOL_HOST_VIEW_H
#define TENANTGATE_TESTS_POOL_HOST_VIEW_H

#include "pool_fixture.h"

/* What pools_hosts() tells of one host; zeroed when it does not. */
struct host_view {
	const char *key;
	struct pool_host_stats stats;
	unsigned told, all;
};

static inline void
note_host(const struct pool_host_stats *h, void *arg)
{
	struct host_view *view = arg;

	view->all++;
	if (!slice_is(h->key, view->key))
		return;
	view->told++;
	view->stats = *h;
}

static inline struct host_view
host_view(const char *key)
{
	struct host_view view = { .key = key };

	pools_hosts(pools, false, note_host, &view);
	pools_hosts(pools, true, note_host, &view);
	return view;
}

#endif
