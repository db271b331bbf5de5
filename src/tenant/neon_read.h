/* SPDX-License-Identifier: MIT */
/*
 * neon_read: what Neon's management API answers, checked and copied. Pure. Every reader is given
 * an object; a wrong shape is a failure with ERR_NEON, never a guess.
 */
#ifndef TENANT_NEON_READ_H
#define TENANT_NEON_READ_H

#include "tenant/row.h"
#include "tenantgate/base/json.h"

/* A database made by the API's defaults. */
#define NEON_DATABASE "neondb"
#define NEON_ROLE     "neondb_owner"
#define NEON_PAGE     400 /* the API's own most */
#define CURSOR_MAX    512

/* The answer of POST /projects, into the row: ids, where, as whom. */
bool neon_read_created(const json_t *, struct tenant_row *, struct err *);
/* The answer of GET connection_uri, the same. */
bool neon_read_uri(const json_t *, struct tenant_row *, struct err *);

/* Projects of exactly one name, over all pages. */
struct neon_inventory {
	unsigned hits;
	char oldest_id[PROVIDER_ID_SIZE];
	char oldest_created[40]; /* RFC 3339, UTC: compares as text */
	unsigned page_length;	 /* of the page read last */
	char cursor[CURSOR_MAX]; /* "" : there is none */
};
/* Adds one page. False also for a partial inventory (unavailable projects). */
bool neon_read_page(const json_t *, const char *name, struct neon_inventory *, struct err *);

struct neon_operations {
	unsigned running;
	unsigned failed;
	char failed_action[64];
};
bool neon_read_operations(const json_t *, struct neon_operations *, struct err *);

/* The `message` of an error body, cut and made safe; "" when the body is something else. */
void neon_read_message(struct slice body, char *out, size_t size);

#endif
