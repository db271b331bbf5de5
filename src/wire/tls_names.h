/* SPDX-License-Identifier: MIT */
/*
 * tls_names: which certificate a client is shown that names a host in its hello (SNI, RFC 6066 3).
 * The name itself goes before a wildcard; a wildcard stands for one label, the leftmost, and for
 * nothing less (RFC 6125 6.4.3). Of two certificates of one name the first has it. Pure; made on
 * one thread, then read by any.
 */
#ifndef WIRE_TLS_NAMES_H
#define WIRE_TLS_NAMES_H

#include <stdbool.h>

#include "tenantgate/base/slice.h"

#define TLS_NAME_MAX 255 /* bytes of a host's name */

struct tls_name {
	char		*text;		/* owned, in lower case: "example.org", "*.example.org" */
	unsigned	 owner;		/* of which certificate, counted from 0 */
};

struct tls_names {
	struct tls_name	*items;		/* owned; in order once tls_names_sort() has run */
	unsigned	 count;
};

/* False, adding nothing, for what is no name of a host: empty, too long, with a NUL in it. */
bool	tls_names_add(struct tls_names *, struct slice name, unsigned owner);
void	tls_names_sort(struct tls_names *);
/* The certificate for a name as a client has sent it; -1: none. A dot at its end is not a part. */
int	tls_names_find(const struct tls_names *, struct slice host);
/* Whether both certificates have the same names. */
bool	tls_names_same(const struct tls_names *, unsigned a, unsigned b);
void	tls_names_free(struct tls_names *);	/* idempotent */

/*
 * Whether one of a client's names is listed: `list` is names between commas, or "*", which is all.
 * What may be a host's name is compared without regard to case, a URI as it is.
 */
bool	tls_list_has(const char *list, struct slice name);

#endif
