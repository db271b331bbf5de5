/* SPDX-License-Identifier: MIT */
/*
 * model_server_conf: which settings of a server are good, and what its header fields and its extra
 * members become: lines, and a piece of JSON, made once.
 */
#include <ctype.h>
#include <stdlib.h>

#include "model/model_server.h"
#include "tenantgate/base/alloc.h"
#include "tenantgate/base/json.h"

#define SECRET_BYTES 8		 /* of a field's value that may be one, at least */
#define EXTRA_MAX    (64u << 10) /* bytes; a value of the configuration has 8 KiB at most */

/* Always false, to be returned. */
static bool
setting_refuse(struct err *err, const char *why)
{
	err_set(err, ERR_INVALID_FIELD, "%s", why);
	return false;
}

static bool
is_among(const char *name, const char *const *names)
{
	for (; *names != NULL; names++)
		if (strcasecmp(name, *names) == 0)
			return true;
	return false;
}

/* ---- header fields ---- */

/* A field's name is a token (RFC 9110, sections 5.1 and 5.6.2). */
static bool
is_token(const char *s)
{
	if (*s == '\0')
		return false;
	for (; *s != '\0'; s++)
		if (!isalnum((unsigned char)*s) && strchr("!#$%&'*+-.^_`|~", *s) == NULL)
			return false;
	return true;
}

/* Not empty, which libcurl takes for "without this field", and no control characters (RFC 9110,
 * section 5.5). */
static bool
is_field_value(const char *s)
{
	if (*s == '\0')
		return false;
	for (; *s != '\0'; s++)
		if (((unsigned char)*s < ' ' && *s != '\t') || *s == 0x7f)
			return false;
	return true;
}

static bool
field_valid(const struct model_server_conf *c, const char *name, const json_t *value,
    struct err *err)
{
	static const char *const ours[] = { "Host", "Content-Length", "Content-Type", "Accept",
		"Accept-Encoding", "Connection", "Transfer-Encoding", "TE", "Trailer", "Upgrade",
		"Expect", "User-Agent", "Traceparent", NULL };

	if (!is_token(name))
		return setting_refuse(err, "A name is no name of a header field; correct it.");
	if (!json_is_string(value) || !is_field_value(json_string_value(value)))
		return setting_refuse(err, "A value must be a string in one line, not empty.");
	if (is_among(name, ours) ||
	    (c->api_key != NULL && strcasecmp(name, c->api_key_header) == 0)) {
		err_set(err, ERR_INVALID_FIELD, "The field %s is tenantgate's own; remove it.",
		    name);
		return false;
	}
	return true;
}

static bool
fields_valid(const struct model_server_conf *c, struct err *err)
{
	const char *name;
	json_t *fields, *value;
	bool valid = true;

	if (c->headers == NULL)
		return true;
	fields = json_read_object(slice_str(c->headers), err);
	if (fields == NULL)
		return false;
	if (json_object_size(fields) > SERVER_FIELDS_MAX)
		valid = setting_refuse(err, "These are too many fields; seven are allowed.");
	json_object_foreach(fields, name, value)
		valid = valid && field_valid(c, name, value, err);
	json_decref(fields);
	return valid;
}

static char *
field_line(const char *name, const char *between, const char *value)
{
	size_t n = strlen(name) + strlen(between) + strlen(value) + 1;
	char *line = xmalloc(n);

	snprintf(line, n, "%s%s%s", name, between, value);
	return line;
}

/* OpenAI's key goes behind a scheme (RFC 6750, section 2.1); any other field carries it bare. */
void
model_server_fields(const struct model_server_conf *c, char *lines[SERVER_HEADERS_MAX + 1])
{
	struct err unused = { 0 };
	json_t *fields = json_read_object(slice_str(c->headers), &unused), *value;
	const char *name;
	unsigned n = 0;

	if (text_or_null(c->api_key) != NULL) {
		const char *field = c->api_key_header;
		bool bearer = strcasecmp(field, "Authorization") == 0;

		lines[n++] = field_line(field, bearer ? ": Bearer " : ": ", c->api_key);
	}
	json_object_foreach(fields, name, value)
		if (n < SERVER_HEADERS_MAX)
			lines[n++] = field_line(name, ": ", json_string_value(value));
	json_decref(fields);
}

/* Of the fields only values that are long enough for a secret: a short word is in many texts. */
bool
model_server_secret_in(const struct model_server *s, const char *text)
{
	const char *key = text_or_null(s->conf.api_key);

	if (key != NULL && strstr(text, key) != NULL)
		return true;
	for (unsigned i = 0; s->headers[i] != NULL; i++) {
		const char *value = strchr(s->headers[i], ' ') + 1;

		if (strlen(value) >= SECRET_BYTES && strstr(text, value) != NULL)
			return true;
	}
	return false;
}

/* ---- extra members ---- */

static const char *const ours_of_models[] = { "model", "messages", "stream", "stream_options",
	"input", "encoding_format", "dimensions", "max_tokens", "max_completion_tokens", "user",
	NULL };
static const char *const ours_of_rankings[] = { "model", "query", "documents", "texts", "top_n",
	"truncate", NULL };

/* What tenantgate writes itself must not be there twice: RFC 8259, section 4, lets readers differ
 * in which of the two they take. */
static bool
extra_valid(const char *text, const char *const *ours, struct err *err)
{
	json_t *extra, *value;
	const char *name;
	bool valid = true;

	if (text == NULL)
		return true;
	extra = json_read_object(slice_str(text), err);
	json_object_foreach(extra, name, value) {
		(void)value;
		if (valid && is_among(name, ours)) {
			err_set(err, ERR_INVALID_FIELD,
			    "The member \"%s\" is tenantgate's own; remove it.", name);
			valid = false;
		}
	}
	json_decref(extra);
	return valid && extra != NULL;
}

/* The temperature of a request goes before a configured one: that is kept apart. */
char *
model_server_extra(const char *text, char **temperature)
{
	struct err unused = { 0 };
	json_t *extra = text == NULL ? NULL : json_read_object(slice_str(text), &unused), *value;
	struct buf rest, apart;
	const char *name;
	char *made;

	buf_init(&rest, EXTRA_MAX);
	buf_init(&apart, EXTRA_MAX);
	json_object_foreach(extra, name, value) {
		bool is_temperature = temperature != NULL && strcmp(name, "temperature") == 0;
		struct buf *b = is_temperature ? &apart : &rest;

		buf_putc(b, ',');
		json_put_string(b, slice_str(name));
		buf_putc(b, ':');
		json_put(b, value);
	}
	if (rest.failed || apart.failed)
		abort(); /* at the start, for want of memory */
	made = rest.len == 0 ? NULL : xstrdup(rest.data);
	if (temperature != NULL)
		*temperature = apart.len == 0 ? NULL : xstrdup(apart.data);
	buf_free(&rest);
	buf_free(&apart);
	json_decref(extra);
	return made;
}

/* ---- all of it ---- */

static bool
setting_same(const char *a, const char *b)
{
	return strcmp(text_or_null(a) == NULL ? "" : a, text_or_null(b) == NULL ? "" : b) == 0;
}

static bool
texts_same(const struct model_server_conf *a, const struct model_server_conf *b)
{
	return setting_same(a->name, b->name) && setting_same(a->url, b->url) &&
	    setting_same(a->api_key, b->api_key) &&
	    setting_same(a->api_key_header, b->api_key_header) &&
	    setting_same(a->headers, b->headers) && setting_same(a->api_version, b->api_version) &&
	    setting_same(a->extra_body, b->extra_body) &&
	    setting_same(a->embedding_extra_body, b->embedding_extra_body) &&
	    setting_same(a->rerank_extra_body, b->rerank_extra_body);
}

bool
model_server_conf_same(const struct model_server_conf *a, const struct model_server_conf *b)
{
	return texts_same(a, b) && a->deployments == b->deployments &&
	    a->answer_tokens == b->answer_tokens && a->length_field == b->length_field &&
	    a->send_user == b->send_user && a->batch_items_max == b->batch_items_max &&
	    a->batch_bytes_max == b->batch_bytes_max && a->stream_options == b->stream_options &&
	    a->temperature == b->temperature && a->system_role == b->system_role &&
	    a->base64 == b->base64 && a->rerank_form == b->rerank_form &&
	    a->retries == b->retries && a->connect_timeout_us == b->connect_timeout_us &&
	    a->first_byte_timeout_us == b->first_byte_timeout_us &&
	    a->idle_timeout_us == b->idle_timeout_us;
}

bool
model_server_conf_valid(const struct model_server_conf *c, const char **key, struct err *err)
{
	*key = "url";
	if (strchr(c->url, '#') != NULL)
		return setting_refuse(err,
		    "A URL of a server has no fragment; remove what begins "
		    "with #.");
	*key = "api_key_header";
	if (!is_token(c->api_key_header))
		return setting_refuse(err, "It is no name of a header field; correct it.");
	*key = "api_version";
	if (c->deployments && c->api_version == NULL)
		return setting_refuse(err, "It must be set with deployments = on.");
	*key = "headers";
	if (!fields_valid(c, err))
		return false;
	*key = "extra_body";
	if (!extra_valid(c->extra_body, ours_of_models, err))
		return false;
	*key = "embedding_extra_body";
	if (!extra_valid(c->embedding_extra_body, ours_of_models, err))
		return false;
	*key = "rerank_extra_body";
	return extra_valid(c->rerank_extra_body, ours_of_rankings, err);
}
