/* SPDX-License-Identifier: MIT */
/*
 * dns: names to addresses on the loop (evdns), for libpq, whose own lookup blocks, and for Redis.
 * Numeric addresses and names in /etc/hosts are answered at once. Answers are cached for their TTL,
 * at most DNS_KEEP_US, failures for a second. One per worker, that thread only.
 */
#ifndef TENANTGATE_WIRE_DNS_H
#define TENANTGATE_WIRE_DNS_H

#include <stdint.h>

#include "tenantgate/base/err.h"
#include "tenantgate/loop/flow.h"

#define DNS_KEEP_US	(60 * 1000000ull)
#define DNS_NAME_MAX	253	/* bytes of a host's name (RFC 1035, 2.3.4), without the NUL */
#define DNS_ADDR_SIZE	46	/* of a numeric address, with the NUL: INET6_ADDRSTRLEN */
#define DNS_ADDRS_MAX	8	/* more are dropped */

struct dns;

struct dns_answer {
	char		addr[DNS_ADDRS_MAX][DNS_ADDR_SIZE]; /* numeric, IPv6 or IPv4 */
	unsigned	count;
	struct err	err;				/* ERR_UPSTREAM or ERR_TIMEOUT; count 0 */
};

/* Whether dns_open() takes it: "127.0.0.1", "[::1]:5353". */
bool		 dns_nameserver_is_valid(const char *);
/* nameserver NULL: /etc/resolv.conf; else "127.0.0.1:5353" (tests). timeout_us: of one lookup, all
 * its tries. NULL: no resolver could be made. */
struct dns	*dns_open(struct worker *, const char *nameserver, uint64_t timeout_us);
/* On the worker's thread, outside its loop, after its flows have ended. NULL is fine. */
void		 dns_close(struct dns *);
/* Wakes plainly; a failure is in out->err. *out is borrowed until then. */
enum flow_rc	 dns_lookup(struct flow *, struct dns *, const char *host, struct dns_answer *out)
		    __attribute__((warn_unused_result));

#endif
