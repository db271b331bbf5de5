/* SPDX-License-Identifier: MIT */
/*
 * key_json: a key as operators read it: everything but what lets somebody in.
 */
#include "auth/auth_key.h"
#include "tenantgate/auth/key_catalog.h"

/* Null for a key that may do everything. */
static json_t *
scopes_json(const char *list)
{
	unsigned scopes = list != NULL ? key_scopes_known(slice_str(list)) : 0;
	json_t *names = list != NULL ? json_array() : json_null();

	for (unsigned i = 0; i < KEY_SCOPES; i++)
		if ((scopes & SCOPE_BIT(i)) != 0)
			json_array_append_new(names, json_string(key_scope_name(i)));
	return names;
}

json_t *
key_json(const struct listed_key *k)
{
	return json_pack("{s:s?, s:s, s:s?, s:o, s:s?, s:s, s:s?, s:s?, s:s?, s:s?}", "id", k->id,
	    "kind", k->kind, "tenant", k->tenant, "scopes", scopes_json(k->scopes), "note", k->note,
	    "state", k->state, "createdAt", k->created_at, "expiresAt", k->expires_at, "lastUsedAt",
	    k->last_used_at, "revokedAt", k->revoked_at);
}

void
key_made_row(const struct key_order *order, const struct key_made *made, struct listed_key *out)
{
	*out = (struct listed_key){
		.id = text_or_null(made->id),
		.kind = caller_kind_name(order->kind),
		.tenant = order->tenant,
		.note = order->note,
		.scopes = text_or_null(made->scopes),
		.state = "active",
		.created_at = text_or_null(made->created_at),
		.expires_at = text_or_null(made->expires_at),
	};
}
