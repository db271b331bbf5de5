/* SPDX-License-Identifier: MIT */
/*
 * dns_query: the resolver's inner door, for the other wires: a question with a callback in place of
 * a flow. The worker's thread only.
 */
#ifndef TENANTGATE_WIRE_DNS_QUERY_H
#define TENANTGATE_WIRE_DNS_QUERY_H

#include <stdbool.h>

#include "tenantgate/wire/dns.h"

struct dns_query;

/* Called from the loop, never from within dns_query(). */
typedef void dns_done_fn(void *arg);

/* NULL: *out holds the answer already, done is not called. Else *out is filled before done comes,
 * unless dns_forget() was called: it makes sure that neither is touched. */
struct dns_query *dns_query(struct dns *, const char *host, struct dns_answer *out, dns_done_fn *,
    void *arg) __attribute__((warn_unused_result));
void dns_forget(struct dns_query *);

#endif
