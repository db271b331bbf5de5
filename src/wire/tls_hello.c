/* SPDX-License-Identifier: MIT */
/*
 * tls_hello: what OpenSSL asks of us while it reads a client's hello. On whichever thread computes
 * the handshake: nothing here changes but the tickets' keys, which guard themselves.
 */
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "tenantgate/base/secret.h"
#include "wire/tls_internal.h"

static const unsigned char protocols[] = "\x08http/1.1\x08http/1.0";

/* A name that is not known gets the first certificate: what the client makes of it is its own to
 * say (RFC 6066 3 leaves that open; nginx and HAProxy do so). */
static int
choose_certificate(SSL *ssl, int *alert, void *arg)
{
	const struct tls_server *s = arg;
	const char *host = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	int owner = host == NULL ? -1 : tls_names_find(&s->names, slice_str(host));

	(void)alert;
	if (owner > 0)
		(void)SSL_set_SSL_CTX(ssl, s->pairs[owner].ctx);
	return owner == -1 ? SSL_TLSEXT_ERR_NOACK : SSL_TLSEXT_ERR_OK;
}

static int
choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_len,
    const unsigned char *in, unsigned in_len, void *arg)
{
	unsigned char *chosen;

	(void)ssl;
	(void)arg;
	if (SSL_select_next_proto(&chosen, out_len, protocols, sizeof(protocols) - 1, in, in_len) !=
	    OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*out = chosen;
	return SSL_TLSEXT_ERR_OK;
}

static bool
seal_with(const struct tls_ticket_key *key, const unsigned char *iv, EVP_CIPHER_CTX *cipher,
    EVP_MAC_CTX *mac, int seals)
{
	unsigned char secret[TLS_TICKET_MAC];
	char digest[] = "SHA256";
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, secret, sizeof(secret)),
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_end(),
	};
	bool is_set;

	memcpy(secret, key->mac, sizeof(secret));
	is_set = EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, key->aes, iv, seals) == 1 &&
	    EVP_MAC_CTX_set_params(mac, params) == 1;
	bytes_wipe(secret, sizeof(secret));
	return is_set;
}

/* 1: go on; 0: not ours, a full handshake; 2: ours, and the client gets a new one; -1: failed. */
static int
ticket_key(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
    EVP_MAC_CTX *mac, int seals)
{
	struct tls_server *s = tls_server_of(ssl);
	struct tls_ticket_key key;
	bool is_old = false, is_set;

	if (seals) {
		tls_tickets_newest(s->tickets, s->ticket_period_us, &key);
		memcpy(name, key.name, sizeof(key.name));
		if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) != 1)
			return -1;
	} else if (!tls_tickets_find(s->tickets, s->ticket_period_us, name, &key, &is_old)) {
		return 0;
	}
	is_set = seal_with(&key, iv, cipher, mac, seals);
	bytes_wipe(&key, sizeof(key));
	if (!is_set)
		return -1;
	return is_old ? 2 : 1;
}

void
tls_hello_set(SSL_CTX *ctx, struct tls_server *s)
{
	SSL_CTX_set_tlsext_servername_callback(ctx, choose_certificate);
	SSL_CTX_set_tlsext_servername_arg(ctx, s);
	SSL_CTX_set_alpn_select_cb(ctx, choose_protocol, NULL);
	if (s->tickets != NULL)
		SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, ticket_key);
}
