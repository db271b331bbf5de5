/* SPDX-License-Identifier: MIT */
/*
 * fake_tls: key, certificate, and a server's context that shows them.
 */
#include "fake_tls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

static void
cert_alt_names(X509 *cert, const char *names)
{
	X509_EXTENSION *also = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, names);

	assert_non_null(also);
	assert_int_equal(X509_add_ext(cert, also, -1), 1);
	X509_EXTENSION_free(also);
}

static void
cert_name(X509 *cert, enum fake_fault fault)
{
	X509_NAME *name = X509_get_subject_name(cert);

	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"localhost", -1,
	    -1, 0);
	assert_int_equal(X509_set_issuer_name(cert, name), 1);
	if (fault == FAULT_OTHER_NAMES)
		cert_alt_names(cert, "DNS:other.example,IP:192.0.2.1");
	else if (fault != FAULT_NO_NAMES)
		cert_alt_names(cert, "DNS:localhost,IP:127.0.0.1");
}

static X509 *
cert_make(EVP_PKEY *key, enum fake_fault fault)
{
	X509 *cert = X509_new();

	assert_non_null(cert);
	X509_set_version(cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
	X509_gmtime_adj(X509_getm_notBefore(cert), fault == FAULT_EARLY ? 3600 : -7200);
	X509_gmtime_adj(X509_getm_notAfter(cert), fault == FAULT_EXPIRED ? -3600 : 86400);
	X509_set_pubkey(cert, key);
	cert_name(cert, fault);
	assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
	return cert;
}

static void
pem_write(const char *path, X509 *cert, EVP_PKEY *key)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	if (cert != NULL)
		assert_int_equal(PEM_write_X509(file, cert), 1);
	else
		assert_int_equal(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL), 1);
	assert_int_equal(fclose(file), 0);
}

static int
name_heard(SSL *ssl, int *alert, void *arg)
{
	struct fake_tls *t = arg;
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

	(void)alert;
	(void)snprintf(t->named, sizeof(t->named), "%s", name == NULL ? "" : name);
	return SSL_TLSEXT_ERR_OK;
}

void
fake_tls_make(struct fake_tls *t)
{
	fake_tls_make_with(t, FAULT_NONE);
}

void
fake_tls_make_with(struct fake_tls *t, enum fake_fault fault)
{
	EVP_PKEY *key = EVP_EC_gen(fault == FAULT_SLOW ? "P-384" : "P-256");
	X509 *cert = cert_make(key, fault);

	(void)snprintf(t->folder, sizeof(t->folder), "/tmp/tg-tls-XXXXXX");
	assert_non_null(mkdtemp(t->folder));
	(void)snprintf(t->cert, sizeof(t->cert), "%s/cert.pem", t->folder);
	(void)snprintf(t->key, sizeof(t->key), "%s/key.pem", t->folder);
	pem_write(t->cert, cert, NULL);
	pem_write(t->key, NULL, key);
	t->named[0] = '\0';
	t->server = SSL_CTX_new(TLS_server_method());
	SSL_CTX_set_tlsext_servername_callback(t->server, name_heard);
	SSL_CTX_set_tlsext_servername_arg(t->server, t);
	assert_int_equal(SSL_CTX_use_certificate(t->server, cert), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(t->server, key), 1);
	X509_free(cert);
	EVP_PKEY_free(key);
}

void
fake_tls_clear(struct fake_tls *t)
{
	SSL_CTX_free(t->server);
	(void)unlink(t->cert);
	(void)unlink(t->key);
	(void)rmdir(t->folder);
}
