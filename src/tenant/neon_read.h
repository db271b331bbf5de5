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

/* A connection URI does not name the endpoint: if it is not known, from the host. */
void neon_endpoint_from_host(struct tenant_row *);
/* The response of GET of a project: its name, "" when there is none. */
void neon_read_name(const json_t *, char out[PROJECT_NAME_SIZE]);
/* The response of GET branches: the id of the default one. */
void neon_read_main_branch(const json_t *, struct tenant_row *);
/* The response of GET endpoints: the id of the one that writes. */
bool neon_read_endpoint(const json_t *, struct tenant_row *, struct err *);

/* What a tenant's project may be called: its name, and the one that the first releases gave, which
 * may be another's too ("": there is none). */
struct neon_names {
	char name[PROJECT_NAME_SIZE];
	char old_name[PROJECT_NAME_SIZE];
};

/* Projects of exactly these names, over all pages. */
#define NEON_HITS_MAX 8
struct neon_inventory {
	unsigned hits; /* all of them; the first NEON_HITS_MAX are in hit[] */
	struct neon_hit {
		char id[PROVIDER_ID_SIZE];
		bool has_old_name;
	} hit[NEON_HITS_MAX];
	unsigned page_length;	 /* of the page read last */
	char cursor[CURSOR_MAX]; /* "" : there is none */
};
/* Adds one page. False also for a partial inventory (unavailable projects). */
bool neon_read_page(const json_t *, const struct neon_names *, struct neon_inventory *,
    struct err *);

/* Each project of a page; false: there is no memory. */
typedef bool neon_project_fn(const char *id, const char *name, void *arg);
/* False, with err set, also for a partial page. length: of the page; cursor: CURSOR_MAX, "" when
 * there is none. */
bool neon_read_projects(const json_t *, neon_project_fn *, void *arg, unsigned *length,
    char *cursor, struct err *);

/* Annotations of the branch that a project is created with: whose it is. */
#define NEON_NOTE_ENVIRONMENT "tenantgate_environment"
#define NEON_NOTE_TENANT      "tenantgate_tenant"
#define NEON_NOTE_ATTEMPT     "tenantgate_attempt"
enum neon_owner { OWNER_OURS, OWNER_ANOTHER, OWNER_UNTOLD };
/*
 * The response of GET branches: whose project it is by its annotations. OURS when they name exactly
 * this environment and tenant and nobody else. The first releases noted no environment; there it is
 * in the old name, which says it once the tenant is known.
 */
enum neon_owner neon_read_owner(const json_t *, const char *environment, const char *tenant,
    bool has_old_name);

/* Whether they name any tenant. */
bool neon_read_is_noted(const json_t *);

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
