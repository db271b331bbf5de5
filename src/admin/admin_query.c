/* SPDX-License-Identifier: MIT */
/*
 * admin_query: what the query and the body of a request may say, and the sentence when they do not.
 */
#include "admin/admin_request.h"
#include "tenantgate/base/json.h"

bool
admin_query_text(struct admin_request *req, const char *name, size_t max, struct slice *out,
    struct err *err)
{
	*out = http_query_get(req->x, name, req->flow.arena);
	if (out->p == NULL)
		return true;
	if (out->len > max || !json_utf8_valid(*out)) {
		err_set(err, ERR_INVALID_FIELD,
		    "Parameter \"%s\" must be a text of at most %zu bytes.", name, max);
		return false;
	}
	return true;
}

bool
admin_query_string(struct admin_request *req, const char *name, size_t max, const char **out,
    struct err *err)
{
	struct slice s;

	if (!admin_query_text(req, name, max, &s, err))
		return false;
	if (s.p == NULL)
		return true;
	*out = arena_slice(req->flow.arena, s);
	if (*out == NULL)
		err_set(err, ERR_OVERLOADED, ERR_NO_MEMORY, "the query");
	return !err_is(err);
}

bool
admin_query_number(struct admin_request *req, const char *name, unsigned min, unsigned max,
    unsigned *out, struct err *err)
{
	struct slice s = http_query_get(req->x, name, req->flow.arena);
	unsigned long long n = 0;

	if (s.p == NULL)
		return true;
	for (size_t i = 0; i < s.len && n <= max; i++)
		n = s.p[i] >= '0' && s.p[i] <= '9' ? n * 10 + (unsigned)(s.p[i] - '0')
						   : (unsigned long long)max + 1;
	if (s.len == 0 || n < min || n > max) {
		err_set(err, ERR_INVALID_FIELD,
		    "Parameter \"%s\" must be a whole number from %u to %u.", name, min, max);
		return false;
	}
	*out = (unsigned)n;
	return true;
}

bool
admin_query_bool(struct admin_request *req, const char *name, bool *out, struct err *err)
{
	struct slice s = http_query_get(req->x, name, req->flow.arena);

	if (s.p == NULL)
		return true;
	if (!slice_is(s, "true") && !slice_is(s, "false")) {
		err_set(err, ERR_INVALID_FIELD, "Parameter \"%s\" must be true or false.", name);
		return false;
	}
	*out = slice_is(s, "true");
	return true;
}

bool
admin_body_has_only(const struct admin_request *req, const char *const *names, struct err *err)
{
	const char *member;
	json_t *value;

	json_object_foreach(req->json, member, value) {
		size_t i = 0;

		while (names[i] != NULL && strcmp(names[i], member) != 0)
			i++;
		if (names[i] == NULL) {
			err_set(err, ERR_INVALID_FIELD,
			    "There is no field \"%.40s\" here; see the README's table of /admin.",
			    member);
			return false;
		}
	}
	return true;
}

json_t *
admin_list_read(const char *text)
{
	struct err ignored = { 0 };
	json_t *list = text[0] == '\0' ? NULL : json_read(slice_str(text), &ignored);

	return list != NULL ? list : json_array();
}
