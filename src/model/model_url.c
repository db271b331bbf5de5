/* SPDX-License-Identifier: MIT */
/*
 * model_url: joins a base URL, which may have a path and a query of its own, with a route.
 */
#include "model/model_url.h"

#include <ctype.h>
#include <stdlib.h>

#include "tenantgate/base/alloc.h"
#include "tenantgate/base/buf.h"

#define MODEL_URL_MAX (64u << 10) /* bytes; a value of the configuration has 8 KiB at most */
#define DEPLOYMENTS   "/openai/deployments/"

/* The text of a buf becomes the caller's. All of it is the configuration's, and made at the start:
 * without memory there is no process. */
static char *
url_take(struct buf *b)
{
	char *text;

	if (b->failed || b->data == NULL)
		abort();
	text = xstrdup(b->data);
	buf_free(b);
	return text;
}

/* All but the unreserved characters (RFC 3986, section 2.3) as %XX. */
static void
put_escaped(struct buf *b, const char *text)
{
	for (; *text != '\0'; text++) {
		if (isalnum((unsigned char)*text) || strchr("-._~", *text) != NULL)
			buf_putc(b, *text);
		else
			buf_printf(b, "%%%02X", (unsigned)(unsigned char)*text);
	}
}

/* A base's path without the slashes at its end, and its query. */
static struct slice
base_path(const char *base, struct slice *query)
{
	size_t n = strcspn(base, "?#");
	struct slice path = slice_of(base, n);

	*query = slice_of(NULL, 0);
	if (base[n] == '?')
		*query = slice_of(base + n + 1, strcspn(base + n + 1, "#"));
	while (path.len > 0 && path.p[path.len - 1] == '/')
		path.len--;
	return path;
}

char *
model_url_join(const char *base, const char *path, const char *query)
{
	struct slice own, front = base_path(base, &own);
	struct buf b;

	buf_init(&b, MODEL_URL_MAX);
	buf_slice(&b, front);
	buf_puts(&b, path);
	if (own.len > 0) {
		buf_putc(&b, '?');
		buf_slice(&b, own);
	}
	if (query != NULL) {
		buf_putc(&b, own.len > 0 ? '&' : '?');
		buf_puts(&b, query);
	}
	return url_take(&b);
}

static bool
slice_ends(struct slice s, const char *text)
{
	size_t n = strlen(text);

	return s.len >= n && memcmp(s.p + s.len - n, text, n) == 0;
}

/* Some write the base of Azure's deployments with /openai, some without. */
static char *
deployment_path(const struct model_server_conf *c, const char *route, const char *model)
{
	struct slice query, base = base_path(c->url, &query);
	struct buf b;

	buf_init(&b, MODEL_URL_MAX);
	buf_puts(&b, DEPLOYMENTS + (slice_ends(base, "/openai") ? strlen("/openai") : 0));
	put_escaped(&b, model);
	buf_puts(&b, route);
	return url_take(&b);
}

char *
model_url_of(const struct model_server_conf *c, const char *route, const char *model)
{
	char *path = c->deployments ? deployment_path(c, route, model) : xstrdup(route);
	char *query = NULL, *url;
	struct buf b;

	if (c->api_version != NULL) {
		buf_init(&b, MODEL_URL_MAX);
		buf_puts(&b, "api-version=");
		put_escaped(&b, c->api_version);
		query = url_take(&b);
	}
	url = model_url_join(c->url, path, query);
	free(path);
	free(query);
	return url;
}
