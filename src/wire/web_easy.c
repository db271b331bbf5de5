/* SPDX-License-Identifier: MIT */
/*
 * web_easy: a request as libcurl options. Only http and https, no redirects, no proxy and no
 * .netrc from the environment, certificates always verified, and our own clock for every wait but
 * the connect.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "wire/web_internal.h"

#define WEB_CONNECT_DEFAULT_US (10 * 1000000ull)

/* A field with a line break in it would be two fields. */
static bool
field_is_one_line(const char *field)
{
	return field[strcspn(field, "\r\n")] == '\0';
}

static bool
field_named(const char *field, const char *name)
{
	size_t n = strlen(name);

	return strncasecmp(field, name, n) == 0 && field[n] == ':';
}

static bool
field_add(struct web_transfer *t, const char *field)
{
	struct curl_slist *grown = curl_slist_append(t->fields, field);

	if (grown == NULL)
		return false;
	t->fields = grown;
	return true;
}

/* libcurl adds an Expect and a form's Content-Type of its own, unless they are named empty. */
static bool
fields_set(struct web_transfer *t, const struct web_request *r)
{
	bool typed = false;

	for (int i = 0; i < WEB_HEADERS_MAX && r->headers[i] != NULL; i++) {
		if (!field_is_one_line(r->headers[i])) {
			(void)snprintf(t->curl_error, sizeof(t->curl_error),
			    "a header field has a line break");
			return false;
		}
		typed = typed || field_named(r->headers[i], "Content-Type");
		if (!field_add(t, r->headers[i]))
			return false;
	}
	if (!field_add(t, "Expect:") || (!typed && !field_add(t, "Content-Type:")))
		return false;
	return curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->fields) == CURLE_OK;
}

static bool
method_set(CURL *easy, const struct web_request *r)
{
	bool is_post = strcmp(r->method, "POST") == 0;

	if (strcmp(r->method, "HEAD") == 0)
		return curl_easy_setopt(easy, CURLOPT_NOBODY, 1L) == CURLE_OK;
	if (r->body.p != NULL || is_post) {
		const char *body = r->body.p != NULL ? r->body.p : "";

		if (curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body.len) !=
			CURLE_OK ||
		    curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, body) != CURLE_OK)
			return false;
	}
	if (is_post || (r->body.p == NULL && strcmp(r->method, "GET") == 0))
		return true;
	return curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, r->method) == CURLE_OK;
}

static bool
protocols_set(CURL *easy)
{
#if LIBCURL_VERSION_NUM >= 0x075500
	return curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK;
#else
	return curl_easy_setopt(easy, CURLOPT_PROTOCOLS, CURLPROTO_HTTP | CURLPROTO_HTTPS) ==
	    CURLE_OK;
#endif
}

/* Letting go of a transfer whose name is being looked up would wait for the resolver's thread. */
static bool
timeouts_set(CURL *easy)
{
#if LIBCURL_VERSION_NUM >= 0x075700
	return curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L) == CURLE_OK;
#else
	(void)easy;
	return true;
#endif
}

static bool
transfer_options_set(CURL *easy, const struct web *w, uint64_t connect_us)
{
	long connect_ms;

	if (connect_us == 0)
		connect_us = WEB_CONNECT_DEFAULT_US;
	connect_ms = (long)((connect_us + 999) / 1000);
	return protocols_set(easy) && timeouts_set(easy) &&
	    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
	    curl_easy_setopt(easy, CURLOPT_PROXY, "") == CURLE_OK &&
	    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
	    curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L) == CURLE_OK &&
	    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L) == CURLE_OK &&
	    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS) ==
	    CURLE_OK &&
	    curl_easy_setopt(easy, CURLOPT_SHARE, w->share) == CURLE_OK &&
	    curl_easy_setopt(easy, CURLOPT_USERAGENT, w->user_agent) == CURLE_OK &&
	    (w->ca_file == NULL ||
		curl_easy_setopt(easy, CURLOPT_CAINFO, w->ca_file) == CURLE_OK) &&
	    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, connect_ms) == CURLE_OK;
}

static bool
callbacks_set(struct web_transfer *t)
{
	CURL *easy = t->easy;

	return curl_easy_setopt(easy, CURLOPT_PRIVATE, t) == CURLE_OK &&
	    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, t->curl_error) == CURLE_OK &&
	    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, web_on_header) == CURLE_OK &&
	    curl_easy_setopt(easy, CURLOPT_HEADERDATA, t) == CURLE_OK &&
	    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, web_on_write) == CURLE_OK &&
	    curl_easy_setopt(easy, CURLOPT_WRITEDATA, t) == CURLE_OK;
}

bool
web_easy_prepare(struct web_transfer *t, const struct web_request *r)
{
	return callbacks_set(t) && transfer_options_set(t->easy, t->web, r->connect_timeout_us) &&
	    curl_easy_setopt(t->easy, CURLOPT_URL, r->url) == CURLE_OK && method_set(t->easy, r) &&
	    fields_set(t, r);
}
