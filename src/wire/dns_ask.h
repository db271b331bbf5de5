/* SPDX-License-Identifier: MIT */
/*
 * dns_ask: the resolver's inner door, for the other wires: a question with a callback in place of
 * a flow. The worker's thread only.
 */
#ifndef TENANTGATE_WIRE_DNS_ASK_H
#define TENANTGATE_WIRE_DNS_ASK_H

#include <stdbool.h>

#include "tenantgate/wire/dns.h"

struct dns_ask;

/* Called from the loop, never from within dns_ask(). */
typedef void dns_done_fn(void *arg);

/* NULL: *out holds the answer already, done is not called. Else *out is filled before done comes,
 * unless dns_forget() was called: it makes sure that neither is touched. */
struct dns_ask *dns_ask(struct dns *, const char *host, struct dns_answer *out, dns_done_fn *,
    void *arg) __attribute__((warn_unused_result));
void dns_forget(struct dns_ask *);

#endif
