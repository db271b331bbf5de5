/* SPDX-License-Identifier: MIT */
/*
 * dns_query: a lookup with a callback in place of a flow, for what is no flow (a Redis link).
 * Private to wire/. The worker's thread only.
 */
#ifndef TENANTGATE_WIRE_DNS_QUERY_H
#define TENANTGATE_WIRE_DNS_QUERY_H

#include <stdbool.h>

#include "tenantgate/wire/dns.h"

struct dns_query;

/* Called from the loop, never from within dns_query(). */
typedef void dns_done_fn(void *arg);

/* NULL: *out holds the answer (or the failure) already, done is not called. Else *out is filled
 * before done is called, and from then on the query is not the caller's any more.
 * dns_query_cancel(), before that, makes sure that neither is touched: *out and arg may then go
 * away. */
struct dns_query *dns_query(struct dns *, const char *host, struct dns_answer *out, dns_done_fn *,
    void *arg) __attribute__((warn_unused_result));
void dns_query_cancel(struct dns_query *);

#endif
