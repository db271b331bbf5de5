/* SPDX-License-Identifier: MIT */
/*
 * tenant_body: see the header. Names and addresses are shown to people and put into pages, so they
 * have no control characters, and an address is of the web: javascript: would run in a page.
 */
#include "api/tenant_body.h"

#include "api/label.h"
#include "api/respond.h"
#include "tenantgate/base/json.h"
#include "tenantgate/base/utf8.h"

#define TENANT_JSON_MAX (32u << 10) /* bytes of a response */

typedef bool tenant_text_fn(struct slice);

static tenant_text_fn is_shown_text, is_email, is_web_address, is_plan_name, is_region_name;

/* Lengths are bytes. The least is 1: null clears a field. */
static const struct tenant_text {
	const char *name;
	size_t max;
	tenant_text_fn *is_good;
	const char *what; /* of a sentence */
} tenant_texts[TENANT_FIELDS] = {
	[TENANT_NAME] = { "name", 200, is_shown_text, "a text without control characters" },
	[TENANT_EMAIL] = { "email", 254, is_email, "an e-mail address" },
	[TENANT_AVATAR_URL] = { "avatarUrl", 2048, is_web_address, "an http or https URL" },
	[TENANT_PLAN] = { "plan", PLAN_NAME_MAX, is_plan_name, "a plan's name" },
	[TENANT_REGION] = { "region", 64, is_region_name,
	    "a region's name, such as aws-us-east-2" },
};

/* C0, DEL and C1 are what a terminal obeys; marks of direction turn an address around. */
static bool
is_shown_text(struct slice s)
{
	if (label_has_unseen(s))
		return false;
	while (s.len > 0) {
		uint32_t point;
		size_t n = utf8_next(s.p, s.len, &point);

		if (point == UTF8_BAD || point < 0x20 || point == 0x7f)
			return false;
		s = slice_of(s.p + n, s.len - n);
	}
	return true;
}

/* RFC 5321's addresses have forms that nobody uses; only a letter sent there proves one. */
static bool
is_email(struct slice s)
{
	const char *at = memchr(s.p, '@', s.len);

	return is_shown_text(s) && memchr(s.p, ' ', s.len) == NULL && at != NULL && at != s.p &&
	    at != s.p + s.len - 1 && memchr(at + 1, '@', (size_t)(s.p + s.len - at - 1)) == NULL;
}

static bool
is_web_address(struct slice s)
{
	bool is_web = slice_starts(s, "https://") || slice_starts(s, "http://");

	return is_web && is_shown_text(s) && memchr(s.p, ' ', s.len) == NULL &&
	    memchr(s.p, '"', s.len) == NULL && memchr(s.p, '<', s.len) == NULL;
}

static bool
has_only(struct slice s, const char *allowed)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] == '\0' || strchr(allowed, s.p[i]) == NULL)
			return false;
	return true;
}

static bool
is_plan_name(struct slice s)
{
	return has_only(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");
}

static bool
is_region_name(struct slice s)
{
	return has_only(s, "abcdefghijklmnopqrstuvwxyz0123456789-");
}

/* The field of that name, or TENANT_FIELDS. */
static unsigned
tenant_field_find(const char *name)
{
	unsigned i = 0;

	while (i < TENANT_FIELDS && strcmp(tenant_texts[i].name, name) != 0)
		i++;
	return i;
}

static bool
tenant_text_fits(const struct tenant_text *t, struct slice s)
{
	return s.len >= 1 && s.len <= t->max && t->is_good(s);
}

bool
tenant_text_is_good(enum tenant_field field, struct slice s)
{
	return tenant_text_fits(&tenant_texts[field], s);
}

static const char *
tenant_field_read(const struct tenant_text *t, const json_t *value, struct arena *a,
    struct err *err)
{
	size_t len = json_string_length(value);
	struct slice s = slice_of(json_string_value(value), len);
	const char *copy;

	if (!json_is_string(value) || !tenant_text_fits(t, s)) {
		err_set(err, ERR_INVALID_FIELD,
		    "Field \"%s\" must be %s of 1 to %zu bytes, or null.", t->name, t->what,
		    t->max);
		return NULL;
	}
	copy = arena_slice(a, s);
	if (copy == NULL)
		err_set(err, ERR_OVERLOADED, ERR_NO_MEMORY, "the body's fields");
	return copy;
}

bool
tenant_body_read(const json_t *root, struct arena *a, struct tenant_change *out, struct err *err)
{
	const char *name;
	json_t *value;

	*out = (struct tenant_change){ 0 };
	json_object_foreach((json_t *)root, name, value) {
		unsigned i = tenant_field_find(name);

		if (i == TENANT_FIELDS) {
			err_set(err, ERR_INVALID_FIELD,
			    "There is no field \"%.40s\" of a tenant; send name, email, avatarUrl, "
			    "plan or region.",
			    name);
			return false;
		}
		out->is_set[i] = true;
		if (!json_is_null(value))
			out->text[i] = tenant_field_read(&tenant_texts[i], value, a, err);
	}
	return !err_is(err);
}

static void
put_profile_text(struct buf *b, const char *name, const char *value)
{
	buf_printf(b, ",\"%s\":", name);
	if (value == NULL)
		buf_puts(b, "null");
	else
		json_put_string(b, slice_str(value));
}

void
tenant_json(struct buf *b, const char *id, const struct tenant_profile *t)
{
	buf_puts(b, "{\"tenant\":{\"id\":");
	json_put_string(b, slice_str(id));
	put_profile_text(b, "name", t->name);
	put_profile_text(b, "email", t->email);
	put_profile_text(b, "avatarUrl", t->avatar_url);
	put_profile_text(b, "plan", t->plan[0] != '\0' ? t->plan : NULL);
	put_profile_text(b, "region", t->region);
	put_profile_text(b, "state", t->state);
	if (t->reason[0] != '\0')
		put_profile_text(b, "reason", t->reason);
	put_profile_text(b, "createdAt", t->created_at);
	buf_puts(b, "}}");
}

enum flow_rc
tenant_respond(struct flow *f, int status, const struct tenant_profile *t)
{
	struct request *req = request_of(f);
	struct buf b;

	buf_init(&b, TENANT_JSON_MAX);
	tenant_json(&b, req->tenant_id, t);
	if (!b.failed)
		respond_json(req->x, status, &b);
	buf_free(&b);
	return http_status(req->x) != 0 ? FLOW_DONE
					: flow_fail(f, ERR_OVERLOADED, ERR_NO_MEMORY, "the tenant");
}
