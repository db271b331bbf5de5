/* SPDX-License-Identifier: MIT */
/*
 * web_easy: a request as libcurl options, and the easy handles at rest.
 *
 * Only http and https, whatever a URL says. No redirects: a redirected request would carry its
 * body and our API keys to a host that no configuration names. No proxy and no .netrc from the
 * environment. Certificates and their names are verified, which is libcurl's default and is nowhere
 * switched off. Every time-out but the connect's is web_transfer.c's own.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "tenantgate/wire/url.h"
#include "wire/peer_tls.h"
#include "wire/web_internal.h"

#define WEB_CONNECT_DEFAULT_US (10 * 1000000ull)
#define PORT_HTTP	       80
#define PORT_HTTPS	       443

/* ---- handles at rest ---- */

CURL *
web_easy_acquire(struct web *w)
{
	return w->spare_count > 0 ? w->spare[--w->spare_count] : curl_easy_init();
}

/* Kept for the next transfer: its buffers are worth more than the rest of a request's work.
 * curl_easy_reset() wipes all options, our pointers and the request's secrets among them. */
void
web_easy_release(struct web *w, CURL *easy)
{
	if (w->spare_count == WEB_SPARE_MAX) {
		curl_easy_cleanup(easy);
		return;
	}
	curl_easy_reset(easy);
	w->spare[w->spare_count++] = easy;
}

/* ---- header fields ---- */

/* A line break in a field would begin another one, of an attacker's making (header injection):
 * libcurl sends the line as it is. */
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

/* Without the field a server may send any coding (RFC 9110, 12.5.3), and none is decoded here.
 * "Name:" with no value keeps libcurl from adding a field of its own. It would add "Expect:
 * 100-continue" to a large body, and wait up to a second for servers that do not know it; and a
 * form's Content-Type to any POST. */
static bool
fields_set(struct web_transfer *t, const struct web_request *r)
{
	bool typed = false;

	for (int i = 0; i < WEB_HEADERS_MAX && r->headers[i] != NULL; i++) {
		if (!field_is_one_line(r->headers[i])) {
			(void)snprintf(t->curl_error, sizeof(t->curl_error),
			    "a header field has a line break in it");
			return false;
		}
		typed = typed || field_named(r->headers[i], "Content-Type");
		if (!field_add(t, r->headers[i]))
			return false;
	}
	if (!field_add(t, "Accept-Encoding: identity") || !field_add(t, "Expect:") ||
	    (!typed && !field_add(t, "Content-Type:")))
		return false;
	return curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->fields) == CURLE_OK;
}

/* The size before the body: COPYPOSTFIELDS copies that many bytes, else up to a NUL; POSTFIELDS
 * borrows them. A body makes libcurl's method POST; any other is set by name over that. */
static bool
method_set(CURL *easy, const struct web_request *r)
{
	bool is_post = strcmp(r->method, "POST") == 0;

	if (strcmp(r->method, "HEAD") == 0)
		return curl_easy_setopt(easy, CURLOPT_NOBODY, 1L) == CURLE_OK;
	if (r->body.p != NULL || is_post) {
		const char *body = r->body.p != NULL ? r->body.p : "";
		CURLoption option = r->body_stays ? CURLOPT_POSTFIELDS : CURLOPT_COPYPOSTFIELDS;

		if (curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body.len) !=
			CURLE_OK ||
		    curl_easy_setopt(easy, option, body) != CURLE_OK)
			return false;
	}
	if (is_post || (r->body.p == NULL && strcmp(r->method, "GET") == 0))
		return true;
	return curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, r->method) == CURLE_OK;
}

/* ---- options ---- */

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

/* Freeing a handle whose name is being looked up joins the resolver's thread, which may block the
 * loop for as long as getaddrinfo() does. QUICK_EXIT (7.87) leaves the thread to itself. */
static bool
quick_exit_set(CURL *easy)
{
#if LIBCURL_VERSION_NUM >= 0x075700
	return curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L) == CURLE_OK;
#else
	(void)easy;
	return true;
#endif
}

/*
 * NOSIGNAL: no SIGALRM and no SIGPIPE handling in a process of threads. PROXY "": not even the
 * environment's. PATH_AS_IS: no "/../" is resolved in our URLs. 2TLS: HTTP/2 where TLS's ALPN
 * agrees on it, else 1.1.
 */
static bool
transfer_options_set(CURL *easy, struct web *w)
{
	return protocols_set(easy) && quick_exit_set(easy) &&
	    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
	    curl_easy_setopt(easy, CURLOPT_PROXY, "") == CURLE_OK &&
	    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
	    curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L) == CURLE_OK &&
	    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L) == CURLE_OK &&
	    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS) ==
	    CURLE_OK &&
	    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, web_connection_open) == CURLE_OK &&
	    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, w) == CURLE_OK &&
	    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, web_connection_close) == CURLE_OK &&
	    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, w) == CURLE_OK &&
	    curl_easy_setopt(easy, CURLOPT_SHARE, w->share) == CURLE_OK &&
	    curl_easy_setopt(easy, CURLOPT_USERAGENT, w->user_agent) == CURLE_OK &&
	    (w->ca_file == NULL || curl_easy_setopt(easy, CURLOPT_CAINFO, w->ca_file) == CURLE_OK);
}

/* Milliseconds are rounded up: 0 would mean libcurl's own 300 s. */
bool
web_easy_connect_within(struct web_transfer *t, uint64_t us)
{
	long ms = (long)((us + 999) / 1000);

	return curl_easy_setopt(t->easy, CURLOPT_CONNECTTIMEOUT_MS, ms > 0 ? ms : 1L) == CURLE_OK;
}

/* Who is asked: for the lookup, and for what the certificate is to say. What url_read() refuses
 * libcurl would too. */
static bool
web_host_read(struct web_transfer *t, const char *url)
{
	struct url_parts parts;
	struct err err = { 0 };
	bool fine = url_read(slice_str(url), &parts, &err) && peer_tls_name(parts.host, t->host);

	if (fine) {
		t->port = parts.port;
		if (t->port == 0)
			t->port = strcmp(parts.scheme, "https") == 0 ? PORT_HTTPS : PORT_HTTP;
	} else {
		(void)snprintf(t->curl_error, sizeof(t->curl_error), "its URL is malformed");
	}
	url_free(&parts);
	return fine;
}

/* A stream keeps its receive buffer while its reader stalls; others have libcurl's 16 KB. */
static bool
buffer_size_set(const struct web_transfer *t)
{
	return t->kind != WEB_STREAM ||
	    curl_easy_setopt(t->easy, CURLOPT_BUFFERSIZE, WEB_STREAM_READ) == CURLE_OK;
}

bool
web_easy_prepare(struct web_transfer *t, const struct web_request *r)
{
	t->connect_timeout_us =
	    r->connect_timeout_us > 0 ? r->connect_timeout_us : WEB_CONNECT_DEFAULT_US;
	return web_host_read(t, r->url) && transfer_options_set(t->easy, t->web) &&
	    web_easy_connect_within(t, t->connect_timeout_us) &&
	    curl_easy_setopt(t->easy, CURLOPT_URL, r->url) == CURLE_OK && method_set(t->easy, r) &&
	    fields_set(t, r) && web_once_set(t, r) && web_certificate_set(t) && buffer_size_set(t);
}
