/* SPDX-License-Identifier: MIT */
/*
 * url: libcurl's URL reader (curl_url), made stricter. It takes what browsers take: one to three
 * slashes after the scheme, a '%' that escapes nothing, an IPv6 zone, which we would lose. Two
 * readers of one URL that disagree about its host are how checks are got around, so what is not
 * plain RFC 3986 is refused before libcurl sees it.
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

/* Two passes: find the login's end, the last '@' before one of `ends`; then copy, and escape every
 * delimiter before it. A '%' stays: what is already escaped must not be escaped twice. */
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

/* Where the search for the login's '@' ends: at the path, query or fragment. Not in a Redis URL:
 * its path is a number without an '@', so whatever stands before the last '@' is the login, with
 * any '/', '?' or '#' that a password may hold. */
static const char *
login_ends(struct slice url)
{
	const char *colon = url.len > 0 ? memchr(url.p, ':', url.len) : NULL;
	struct slice scheme = slice_of(url.p, colon == NULL ? 0 : (size_t)(colon - url.p));

	return slice_is_nocase(scheme, "redis") || slice_is_nocase(scheme, "rediss") ? "" : "/?#";
}

/* ---- reading ---- */

bool
url_host_is_ascii(const char *host)
{
	for (; *host != '\0'; host++)
		if ((unsigned char)*host >= 0x80)
			return false;
	return true;
}

/* No blank, no control character, and no '%' without two hexadecimal digits: libcurl would leave
 * that one as it is, and the next reader might not. Bytes past 0x7f are let
 * through, but not in a host. */
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

/* scheme://x, neither one slash nor three. */
static bool
slashes_are_two(struct slice s)
{
	const char *colon = s.len > 0 ? memchr(s.p, ':', s.len) : NULL;
	size_t left = colon == NULL ? 0 : s.len - (size_t)(colon - s.p);

	return left > 3 && memcmp(colon, "://", 3) == 0 && colon[3] != '/';
}

/* NULL when libcurl does not take it for a URL. NON_SUPPORT_SCHEME: libcurl knows no redis:. */
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

/* False when the part holds a control character, escaped (CURLU_URLDECODE refuses to decode one); a
 * part that is missing is NULL and fine. */
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

/* libcurl has checked that it is a number below 65536; 0 is left to us. */
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

/* libcurl cuts the zone off an IPv6 address ("%25eth0", RFC 6874) and hands it out apart; nobody
 * here would use it, so a URL with one is refused. Brackets are the URL's, not the address's. */
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

/* Path, query and fragment stay as written: what decoding means there is their reader's. */
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
	if (good && !url_host_is_ascii(out->host)) {
		url_free(out);
		err_set(err, ERR_INVALID_FIELD, "The URL's host has characters beyond ASCII: %s.",
		    URL_HOST_ADVICE);
		return false;
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

/* For a text that is no URL, for instance because a part of it is still to be filled in: an '@'
 * with something before it that is not an empty password ("u:@") may end one. */
static bool
may_hold_password(struct slice text)
{
	const char *at = text.len > 0 ? memrchr(text.p, '@', text.len) : NULL;

	return at != NULL && at > text.p && at[-1] != ':' && at[-1] != '/';
}

/* In doubt true: the answer decides what is left out of a log. "password=" is the parameter of a
 * Postgres URI; NO_AUTHORITY lets libcurl take a URL without a host. */
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
