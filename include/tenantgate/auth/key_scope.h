/* SPDX-License-Identifier: MIT */
/*
 * key_scope: what a key may do, where it may not do everything: a set of bits, one for each name of
 * a part of the API. A key without scopes has all bits, those of parts to come among them. Pure;
 * any thread.
 */
#ifndef TENANTGATE_AUTH_KEY_SCOPE_H
#define TENANTGATE_AUTH_KEY_SCOPE_H

#include <stdbool.h>

#include "tenantgate/base/err.h"
#include "tenantgate/base/slice.h"

enum key_scope { SCOPE_INGEST, SCOPE_CHAT, SCOPE_SEARCH, SCOPE_DOCUMENTS, SCOPE_SQL, SCOPE_V1,
	SCOPE_MCP, KEY_SCOPES };

#define SCOPE_BIT(scope)	(1u << (scope))
#define SCOPES_NAMED		(SCOPE_BIT(KEY_SCOPES) - 1u)	/* all that have a name */
/* Of a key without scopes alone: it has no name, so nobody can be given it among others. */
#define SCOPE_WHOLE_KEY		(1u << 31)
#define SCOPES_ANY		(SCOPES_NAMED | SCOPE_WHOLE_KEY) /* of what every key may do */
#define SCOPES_UNLIMITED	(~0u)	/* a key without scopes */

const char	*key_scope_name(enum key_scope);	/* static */

/* "chat,search", by commas or blanks: false with ERR_INVALID_FIELD, naming it, for a name that is
 * none, and when there is no name at all: a list that came out empty must not mean everything. */
bool		 key_scopes_parse(struct slice list, unsigned *out, struct err *);
/* The same of a row, where a later build may have written names that this one does not know: they
 * count for nothing. */
unsigned	 key_scopes_known(struct slice list);

/* The names with `between` between two, "" for none and for SCOPES_UNLIMITED. */
#define KEY_SCOPES_SIZE	96
void		 key_scopes_print(unsigned scopes, const char *between, char out[KEY_SCOPES_SIZE]);

#endif
