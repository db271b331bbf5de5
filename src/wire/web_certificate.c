/* SPDX-License-Identifier: MIT */
/*
 * web_certificate: what libcurl 7.88 does not do about a server's certificate. It accepts one
 * without a subjectAltName by its subject's common name, which RFC 9525 ended. So the name is
 * looked for by OpenSSL too, in the verification itself. (libcurl's other backends have no hook for
 * that, and are refused at the start: web_open().)
 */
#include <string.h>

#include "wire/peer_tls.h"
#include "wire/web_internal.h"

/* CURLOPT_SSL_CTX_FUNCTION: for each new connection, before its handshake. */
static CURLcode
tls_about_to_begin(CURL *easy, void *ctx, void *transfer)
{
	const struct web_transfer *t = transfer;

	(void)easy;
	return peer_tls_expect(SSL_CTX_get0_param(ctx), t->host) ? CURLE_OK : CURLE_OUT_OF_MEMORY;
}

bool
web_certificate_set(struct web_transfer *t)
{
	return curl_easy_setopt(t->easy, CURLOPT_SSL_CTX_FUNCTION, tls_about_to_begin) ==
	    CURLE_OK &&
	    curl_easy_setopt(t->easy, CURLOPT_SSL_CTX_DATA, t) == CURLE_OK;
}

bool
web_certificate_fail(struct web_transfer *t, CURLcode code)
{
	char words[200];
	long verdict = X509_V_OK;

	if (code == CURLE_SSL_CONNECT_ERROR &&
	    strstr(t->curl_error, "wrong version number") != NULL) {
		web_response_fail(t->response, WEB_TLS,
		    "TLS failed: the server does not speak TLS there; look at the port, or write "
		    "http://.");
		return true;
	}
	if (code != CURLE_PEER_FAILED_VERIFICATION ||
	    curl_easy_getinfo(t->easy, CURLINFO_SSL_VERIFYRESULT, &verdict) != CURLE_OK ||
	    verdict == X509_V_OK)
		return false;
	peer_tls_describe(words, sizeof(words), t->host, verdict, t->web->ca_file);
	web_response_fail(t->response, WEB_TLS, "TLS failed: %s.", words);
	return true;
}
