/* SPDX-License-Identifier: MIT */
/*
 * token_order: what a token is to be, as a body says it, and never more than whoever asks may.
 */
#include <string.h>

#include "tenantgate/auth/token.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/base/json.h"
#include "tenantgate/base/random.h"

/* For a body that names no scopes: what pages are made of. What reaches further (SQL, say) is given
 * to whoever names it. */
#define SCOPES_OF_PAGES \
	(SCOPE_BIT(SCOPE_INGEST) | SCOPE_BIT(SCOPE_CHAT) | SCOPE_BIT(SCOPE_SEARCH) | \
	    SCOPE_BIT(SCOPE_DOCUMENTS))
/* Among a token's scopes, but no key's: of documents, the user's alone. */
#define OWN	  "own"
#define NAMES_MAX (KEY_SCOPES + 1)

static bool
names_are_known(const json_t *body, struct err *err)
{
	static const char *const known[] = { "user", "scopes", "ttl" };
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)body, name, value) {
		size_t i = 0;

		while (i < sizeof(known) / sizeof(known[0]) && strcmp(name, known[i]) != 0)
			i++;
		if (i == sizeof(known) / sizeof(known[0])) {
			err_set(err, ERR_INVALID_FIELD,
			    "Field \"%.64s\" is none of a token; there are user, scopes and ttl.",
			    name);
			return false;
		}
	}
	return true;
}

static bool
read_token_user(const json_t *body, const char *named, struct token_claims *c, struct err *err)
{
	struct slice user = slice_str(named);

	if (!json_opt_string(body, "user", &user, err))
		return false;
	if (user.len > 0 && named[0] != '\0' && !slice_is(user, named))
		err_set(err, ERR_INVALID_FIELD,
		    "Field \"user\" and X-User-Id name two users; send one of them.");
	else if (user.p != named && !auth_tenant_valid(user))
		err_set(err, ERR_INVALID_FIELD,
		    "Field \"user\" must be 1 to %d bytes of [A-Za-z0-9._:@-], as an X-User-Id.",
		    USER_ID_MAX);
	if (err_is(err))
		return false;
	memcpy(c->user, user.p, user.len);
	c->user[user.len] = '\0';
	return true;
}

/* By their names with commas, so that there is one reader of them. */
static bool
join_names(json_t *names, struct token_claims *c, struct buf *list, struct err *err)
{
	json_t *name;
	size_t i;

	if (json_array_size(names) == 0 || json_array_size(names) > NAMES_MAX) {
		err_set(err, ERR_INVALID_FIELD,
		    "Field \"scopes\" takes 1 to %d names, each once; or leave it out.", NAMES_MAX);
		return false;
	}
	json_array_foreach(names, i, name) {
		if (!json_is_string(name)) {
			err_set(err, ERR_INVALID_FIELD,
			    "Field \"scopes\" must be an array of names; correct it.");
			return false;
		}
		if (strcmp(json_string_value(name), OWN) == 0)
			c->has_own_only = true;
		else
			buf_printf(list, "%.40s,", json_string_value(name));
	}
	return true;
}

static bool
read_token_scopes(const json_t *body, struct token_claims *c, struct err *err)
{
	json_t *names = NULL;
	struct buf list;
	bool ok = true;

	c->scopes = 0;
	if (!json_opt_array(body, "scopes", &names, err))
		return false;
	buf_init(&list, NAMES_MAX * 41);
	if (names != NULL)
		ok = join_names(names, c, &list, err);
	if (ok && list.len > 0)
		ok = key_scopes_parse(buf_view(&list), &c->scopes, err);
	buf_free(&list);
	return ok;
}

/* None were named: what pages need, as far as the asker has it. */
static bool
limit_scopes(unsigned may, struct token_claims *c, struct err *err)
{
	char lacking[KEY_SCOPES_SIZE];

	if (c->scopes == 0)
		c->scopes = SCOPES_OF_PAGES & may;
	key_scopes_print(c->scopes & ~may, ", ", lacking);
	if (c->scopes == 0)
		err_set(err, ERR_SCOPE,
		    "This key has none of the scopes that a token has by itself; name some that "
		    "the key has in \"scopes\".");
	else if (lacking[0] != '\0')
		err_set(err, ERR_SCOPE,
		    "This key has not the scope %s, so no token that it makes has it; leave it "
		    "out.",
		    lacking);
	else if (!token_scopes_agree(c))
		err_set(err, ERR_INVALID_FIELD,
		    "The scope own is for one user's documents, and sql reaches all that is in the "
		    "database; leave one of them out.");
	else if (c->has_own_only && c->user[0] == '\0')
		err_set(err, ERR_INVALID_FIELD,
		    "The scope own is for one user's documents; name whose in \"user\".");
	return !err_is(err);
}

bool
token_order_read(const json_t *body, unsigned may, const char *user, uint64_t ttl_max_s,
    struct token_order *o, struct err *err)
{
	int64_t ttl_s = (int64_t)ttl_max_s;

	memset(o, 0, sizeof(*o));
	if (!names_are_known(body, err) || !read_token_user(body, user, &o->claims, err) ||
	    !read_token_scopes(body, &o->claims, err) || !limit_scopes(may, &o->claims, err) ||
	    !json_opt_int(body, "ttl", 1, (int64_t)ttl_max_s, &ttl_s, err))
		return false;
	o->ttl_s = (uint64_t)ttl_s;
	return true;
}

void
token_order_issue(struct token_order *o, const char *tenant, uint64_t generation, uint64_t now_us)
{
	struct token_claims *c = &o->claims;

	id_random(c->id, TOKEN_ID_LEN);
	memcpy(c->tenant, tenant, strlen(tenant) + 1);
	c->generation = generation;
	c->issued_s = now_us / 1000000;
	c->expires_s = c->issued_s + o->ttl_s;
}

static json_t *
scope_names_json(const struct token_claims *c)
{
	json_t *names = json_array();

	for (unsigned i = 0; i < KEY_SCOPES; i++)
		if ((c->scopes & SCOPE_BIT(i)) != 0)
			json_array_append_new(names, json_string(key_scope_name(i)));
	if (c->has_own_only)
		json_array_append_new(names, json_string(OWN));
	return names;
}

json_t *
token_order_json(const struct token_order *o)
{
	const struct token_claims *c = &o->claims;
	const char *id = c->id[0] != '\0' ? c->id : NULL;
	const char *user = c->user[0] != '\0' ? c->user : NULL;
	char expires[CLOCK_ISO_SIZE];

	clock_iso(c->expires_s * 1000000, expires);
	return json_pack("{s:s?, s:s, s:s?, s:o, s:s, s:I}", "id", id, "tenant", c->tenant, "user",
	    user, "scopes", scope_names_json(c), "expiresAt", expires, "expiresIn",
	    (json_int_t)o->ttl_s);
}

json_t *
token_made_json(const struct token_signer *signer, const struct token_order *o)
{
	json_t *made = json_object(), *about = token_order_json(o);
	struct buf text;

	buf_init(&text, TOKEN_TEXT_MAX);
	if (!token_sign(signer, &o->claims, &text) ||
	    json_object_set_new(made, "token", json_stringn(text.data, text.len)) != 0 ||
	    json_object_update(made, about) != 0) {
		json_decref(made);
		made = NULL;
	}
	json_decref(about);
	buf_free(&text);
	return made;
}
