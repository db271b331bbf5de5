/* SPDX-License-Identifier: MIT */
/*
 * proxy_header: the PROXY protocol's header, versions 1 and 2 (HAProxy, doc/proxy-protocol.txt), by
 * which a proxy that passes bytes on tells whose they are. A strict, pure parser: bytes in, an
 * event out; the result depends on the bytes, never on how they were cut.
 *
 *	v1	PROXY TCP4|TCP6 source destination port port CRLF, 107 bytes at most
 *		PROXY UNKNOWN anything CRLF
 *	v2	12 bytes of signature, version and command, family, length (2), addresses, TLVs
 *
 * What does not match exactly is an error at its first wrong byte. The first byte behind the header
 * is never taken.
 */
#ifndef HTTP_PROXY_HEADER_H
#define HTTP_PROXY_HEADER_H

#include <stdbool.h>

#include <netinet/in.h>

#include "tenantgate/base/buf.h"

#define PROXY_V1_MAX	107		/* bytes, CRLF included */
#define PROXY_V2_MAX	(16 + 536)	/* senders promise to send no more */

enum proxy_event {
	PROXY_MORE,	/* the input is used up */
	PROXY_DONE,	/* the header is whole; what is left of the input is not its own */
	PROXY_ERROR,	/* this is none: no byte of it means anything */
};

struct proxy_header {
	struct buf	*bytes;		/* borrowed: max >= PROXY_V2_MAX; empty at first */
	bool		 is_local;	/* v2's LOCAL: the proxy speaks for itself */
	bool		 has_source;	/* false also for whom the proxy does not know */
	struct in6_addr	 source;	/* IPv4 mapped */
};

/* Takes bytes off the front of `in`. Not to be called again after PROXY_DONE or PROXY_ERROR. */
enum proxy_event proxy_header_feed(struct proxy_header *, struct slice *in)
		    __attribute__((warn_unused_result));

#endif
