/* SPDX-License-Identifier: MIT */
/*
 * neon_read: what Neon's management API responds, checked and copied. Pure. Every reader is given
 * an object (or NULL, which has nothing in it); a wrong shape is a failure with ERR_NEON, never a
 * guess. Everything is copied: the JSON may go afterwards.
 */
#ifndef TENANT_NEON_READ_H
#define TENANT_NEON_READ_H

#include "tenant/row.h"
#include "tenantgate/base/json.h"

/* The API's own defaults, which we name when we create and need when we adopt. */
#define NEON_DATABASE "neondb"
#define NEON_ROLE     "neondb_owner"
#define NEON_PAGE     400 /* projects a page: the API's most */
#define CURSOR_MAX    512 /* bytes with the NUL; a longer cursor reads as none */

/* The response of POST /projects into the row: ids, address, role, password. On failure the row may
 * hold the project's id already: then the project exists. */
bool neon_read_created(const json_t *, struct tenant_row *, struct err *);
/* The response of GET connection_uri: address, role, password; all or nothing. */
bool neon_read_uri(const json_t *, struct tenant_row *, struct err *);

/* Projects of exactly one name, over all pages. */
struct neon_inventory {
	unsigned hits; /* projects of that name */
	char oldest_id[PROVIDER_ID_SIZE];
	char oldest_created[40]; /* RFC 3339, UTC: compares as text */
	unsigned page_length;	 /* of the page read last */
	char cursor[CURSOR_MAX]; /* "" : there is none */
};
/* Adds one page. False also for a partial inventory (unavailable projects). */
bool neon_read_page(const json_t *, const char *name, struct neon_inventory *, struct err *);

struct neon_operations {
	unsigned running; /* every status that is not known to be an end */
	unsigned failed;
	char failed_action[64]; /* the last of the failed; for people */
	uint64_t took_us; /* from the first's beginning to the last's end; 0: it is not told */
};
/* The response of GET operations, of one project. */
bool neon_read_operations(const json_t *, struct neon_operations *, struct err *);

/* The `message` of an error body, cut to 120 bytes of printable ASCII; "" when the body is
 * something else (Cloudflare's 520 is HTML, a 502 may be empty). */
void neon_read_message(struct slice body, char *out, size_t size);
/* The same of its `code`, which is often empty. */
void neon_read_code(struct slice body, char *out, size_t size);

#endif
