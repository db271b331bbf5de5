/* SPDX-License-Identifier: MIT */
/*
 * tls_resume: which handshake a session may be resumed by: one with the same settings and the same
 * name of a host (RFC 6066 3 wants a full one under another name). OpenSSL itself asks for neither:
 * a session of TLS 1.2 would bring back a cipher that is allowed no more, and the certificate of
 * the name that it began with. So each ticket has in it, under its seal, what it is bound to. On
 * whichever thread computes the handshake.
 */
#include <string.h>

#include "wire/tls_internal.h"

void
tls_resume_settings(const struct tls_server_conf *conf, uint8_t out[SHA256_SIZE])
{
	char version = (char)conf->version_min;

	hmac_sha256(slice_of(&version, 1), slice_str(conf->ciphers), out);
}

/* SSL_client_hello_cb_fn. The name is bound as it was sent, byte for byte: who writes it in another
 * way has a full handshake. A second hello (HelloRetryRequest) comes here, too. */
static int
hello_seen(SSL *ssl, int *alert, void *unused)
{
	const unsigned char *name = NULL;
	size_t n = 0;

	(void)alert;
	(void)unused;
	(void)SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &name, &n);
	hmac_sha256(slice_of((const char *)tls_server_of(ssl)->settings, SHA256_SIZE),
	    slice_of((const char *)name, n), tls_binding_of(ssl));
	return SSL_CLIENT_HELLO_SUCCESS;
}

/* SSL_CTX_generate_session_ticket_fn */
static int
ticket_bound(SSL *ssl, void *unused)
{
	(void)unused;
	return SSL_SESSION_set1_ticket_appdata(SSL_get_session(ssl), tls_binding_of(ssl),
	    SHA256_SIZE);
}

/* SSL_CTX_decrypt_session_ticket_fn: whatever is not resumed is a full handshake, and a new ticket
 * behind it. So is a session of TLS 1.3 that is: its clients use a ticket once (RFC 8446 C.4), and
 * without another every second connection would be a full handshake. */
static SSL_TICKET_RETURN
ticket_judged(SSL *ssl, SSL_SESSION *session, const unsigned char *name, size_t name_len,
    SSL_TICKET_STATUS status, void *unused)
{
	void *bound = NULL;
	size_t n = 0;

	(void)name;
	(void)name_len;
	(void)unused;
	if (status != SSL_TICKET_SUCCESS && status != SSL_TICKET_SUCCESS_RENEW)
		return SSL_TICKET_RETURN_IGNORE_RENEW;
	if (SSL_SESSION_get0_ticket_appdata(session, &bound, &n) != 1 || n != SHA256_SIZE ||
	    memcmp(bound, tls_binding_of(ssl), SHA256_SIZE) != 0)
		return SSL_TICKET_RETURN_IGNORE_RENEW;
	if (status == SSL_TICKET_SUCCESS && SSL_version(ssl) != TLS1_3_VERSION)
		return SSL_TICKET_RETURN_USE;
	return SSL_TICKET_RETURN_USE_RENEW;
}

void
tls_resume_set(SSL_CTX *ctx)
{
	SSL_CTX_set_client_hello_cb(ctx, hello_seen, NULL);
	(void)SSL_CTX_set_session_ticket_cb(ctx, ticket_bound, ticket_judged, NULL);
}
