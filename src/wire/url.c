/* SPDX-License-Identifier: MIT */
/*
 * url: libcurl's URL reader, and what of its leniency we do not want: one or three slashes after
 * the scheme, a '%' that escapes nothing, an IPv6 zone that would be lost.
 */
#define _GNU_SOURCE /* memmem(), memrchr() */

#include "tenantgate/wire/url.h"

#include <ctype.h>
#include <stdlib.h>

#include <curl/curl.h>

#include "tenantgate/base/secret.h"
#include "wire/url_login.h"

#define URL_MAX 16384 /* bytes, with what escaping adds */

/* ---- the login ---- */

void
url_escape_login(struct buf *out, struct slice url, const char *ends)
{
	const char *start = url.len > 0 ? memmem(url.p, url.len, "://", 3) : NULL;
	const char *end = NULL, *p;

	for (p = start == NULL ? NULL : start + 3; p != NULL && p < url.p + url.len; p++) {
		if (*p == '@')
			end = p;
		else if (strchr(ends, *p) != NULL)
			break;
	}
	for (p = url.p; p < url.p + url.len; p++) {
		if (end != NULL && p > start + 2 && p < end && strchr("@/?#", *p) != NULL)
			buf_printf(out, "%%%02X", (unsigned)*p);
		else
			buf_putc(out, *p);
	}
}

void
url_buf_wipe(struct buf *b)
{
	if (b->data != NULL)
		bytes_wipe(b->data, b->len);
	buf_free(b);
}

/* A Redis URL's path is a number: whatever stands before its last '@' is the login. */
static const char *
login_ends(struct slice url)
{
	const char *colon = url.len > 0 ? memchr(url.p, ':', url.len) : NULL;
	struct slice scheme = slice_of(url.p, colon == NULL ? 0 : (size_t)(colon - url.p));

	return slice_is_nocase(scheme, "redis") || slice_is_nocase(scheme, "rediss") ? "" : "/?#";
}

/* ---- reading ---- */

/* No blank, no control character, and no "%" that escapes nothing: libcurl would leave that one as
 * it is, and the next reader might not. */
static bool
url_bytes_valid(struct slice s)
{
	size_t i;

	for (i = 0; i < s.len; i++) {
		if ((unsigned char)s.p[i] <= ' ' || s.p[i] == 0x7f)
			return false;
		if (s.p[i] == '%' &&
		    (s.len - i < 3 || !isxdigit((unsigned char)s.p[i + 1]) ||
			!isxdigit((unsigned char)s.p[i + 2])))
			return false;
	}
	return true;
}

/* scheme://x: libcurl takes one to three slashes. */
static bool
slashes_are_two(struct slice s)
{
	const char *colon = s.len > 0 ? memchr(s.p, ':', s.len) : NULL;
	size_t left = colon == NULL ? 0 : s.len - (size_t)(colon - s.p);

	return left > 3 && memcmp(colon, "://", 3) == 0 && colon[3] != '/';
}

/* NULL when libcurl does not take it for a URL. */
static CURLU *
url_open(struct slice text, unsigned flags)
{
	CURLU *u = curl_url();
	struct buf escaped;

	buf_init(&escaped, URL_MAX);
	url_escape_login(&escaped, text, login_ends(text));
	if (u == NULL)
		abort();
	if (escaped.failed || escaped.data == NULL ||
	    curl_url_set(u, CURLUPART_URL, escaped.data, CURLU_NON_SUPPORT_SCHEME | flags) !=
		CURLUE_OK) {
		curl_url_cleanup(u);
		u = NULL;
	}
	url_buf_wipe(&escaped);
	return u;
}

/* False when the part holds a control character; a part that is missing is NULL and fine. */
static bool
part_get(CURLU *u, CURLUPart what, unsigned flags, char **out)
{
	switch (curl_url_get(u, what, out, flags)) {
	case CURLUE_OK:
		return true;
	case CURLUE_NO_USER:
	case CURLUE_NO_PASSWORD:
	case CURLUE_NO_PORT:
	case CURLUE_NO_QUERY:
	case CURLUE_NO_FRAGMENT:
		*out = NULL;
		return true;
	default:
		*out = NULL;
		return false;
	}
}

static bool
port_get(CURLU *u, uint16_t *out)
{
	char *text = NULL;
	bool good = part_get(u, CURLUPART_PORT, 0, &text);

	*out = text == NULL ? 0 : (uint16_t)strtoul(text, NULL, 10);
	good = good && (text == NULL || *out > 0);
	curl_free(text);
	return good;
}

/* A zone ("%eth0") is a part of its own, which nobody here would use. */
static bool
host_get(CURLU *u, char **out)
{
	char *zone = NULL;
	bool zoned = curl_url_get(u, CURLUPART_ZONEID, &zone, 0) == CURLUE_OK;
	size_t n;

	curl_free(zone);
	if (zoned || !part_get(u, CURLUPART_HOST, CURLU_URLDECODE, out) || *out == NULL)
		return false;
	n = strlen(*out);
	if (n > 2 && (*out)[0] == '[' && (*out)[n - 1] == ']') {
		memmove(*out, *out + 1, n - 2);
		(*out)[n - 2] = '\0';
	}
	return n > 0;
}

static bool
parts_get(CURLU *u, struct url_parts *out)
{
	return part_get(u, CURLUPART_SCHEME, 0, &out->scheme) &&
	    part_get(u, CURLUPART_USER, CURLU_URLDECODE, &out->user) &&
	    part_get(u, CURLUPART_PASSWORD, CURLU_URLDECODE, &out->password) &&
	    host_get(u, &out->host) && port_get(u, &out->port) &&
	    part_get(u, CURLUPART_PATH, 0, &out->path) &&
	    part_get(u, CURLUPART_QUERY, 0, &out->query) &&
	    part_get(u, CURLUPART_FRAGMENT, 0, &out->fragment);
}

bool
url_read(struct slice text, struct url_parts *out, struct err *err)
{
	CURLU *u = NULL;
	bool good = false;

	memset(out, 0, sizeof(*out));
	if (url_bytes_valid(text) && slashes_are_two(text))
		u = url_open(text, 0);
	if (u != NULL) {
		good = parts_get(u, out);
		curl_url_cleanup(u);
	}
	if (!good) {
		url_free(out);
		err_set(err, ERR_INVALID_FIELD,
		    "The URL is malformed: write SCHEME://HOST[:PORT], in a login escape what is "
		    "no letter or digit as %%XX.");
	}
	return good;
}

void
url_free(struct url_parts *p)
{
	if (p->password != NULL)
		bytes_wipe(p->password, strlen(p->password));
	curl_free(p->scheme);
	curl_free(p->user);
	curl_free(p->password);
	curl_free(p->host);
	curl_free(p->path);
	curl_free(p->query);
	curl_free(p->fragment);
	memset(p, 0, sizeof(*p));
}

/* ---- is it a secret ---- */

/* A text that is no URL yet, for lack of what the environment adds. "u:@" has no password. */
static bool
may_hold_password(struct slice text)
{
	const char *at = text.len > 0 ? memrchr(text.p, '@', text.len) : NULL;

	return at != NULL && at > text.p && at[-1] != ':' && at[-1] != '/';
}

bool
url_has_password(struct slice text)
{
	char *password = NULL;
	bool has;
	CURLU *u;

	if (text.len > 0 && memmem(text.p, text.len, "password=", 9) != NULL)
		return true;
	u = url_open(text, CURLU_NO_AUTHORITY);
	if (u == NULL)
		return may_hold_password(text);
	has = !part_get(u, CURLUPART_PASSWORD, 0, &password) ||
	    (password != NULL && password[0] != '\0');
	if (password != NULL)
		bytes_wipe(password, strlen(password));
	curl_free(password);
	curl_url_cleanup(u);
	return has;
}
