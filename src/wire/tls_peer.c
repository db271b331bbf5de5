/* SPDX-License-Identifier: MIT */
/*
 * tls_peer: who a client of mutual TLS is. OpenSSL checks the chain up to the CA, the times and
 * that the certificate is one for clients; then one of its names must be listed. The names are
 * those of hosts, URIs and mail addresses in it; where it has none of these, its common name.
 */
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "tenantgate/wire/pem.h"
#include "wire/tls_internal.h"

static struct slice
slice_of_string(const ASN1_STRING *text)
{
	return slice_of((const char *)ASN1_STRING_get0_data(text),
	    (size_t)ASN1_STRING_length(text));
}

/* A slice without bytes: it is a name of another kind. */
static struct slice
name_text(const GENERAL_NAME *name)
{
	switch (name->type) {
	case GEN_DNS:
		return slice_of_string(name->d.dNSName);
	case GEN_URI:
		return slice_of_string(name->d.uniformResourceIdentifier);
	case GEN_EMAIL:
		return slice_of_string(name->d.rfc822Name);
	default:
		return slice_of(NULL, 0);
	}
}

static bool
common_name_is_listed(X509 *certificate, const char *list)
{
	X509_NAME *subject = X509_get_subject_name(certificate);
	int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);

	return at != -1 &&
	    tls_list_has(list,
		slice_of_string(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at))));
}

static bool
name_is_listed(X509 *certificate, const char *list)
{
	GENERAL_NAMES *all = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
	bool has_names = false, is_listed = false;

	for (int i = 0; i < sk_GENERAL_NAME_num(all) && !is_listed; i++) {
		struct slice text = name_text(sk_GENERAL_NAME_value(all, i));

		has_names |= text.len > 0;
		is_listed = tls_list_has(list, text);
	}
	GENERAL_NAMES_free(all);
	return is_listed || (!has_names && common_name_is_listed(certificate, list));
}

/* SSL_verify_cb: depth 0 comes last, when the chain was found good. */
static int
judge_certificate(int is_good, X509_STORE_CTX *store)
{
	const SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());

	if (!is_good || X509_STORE_CTX_get_error_depth(store) > 0)
		return is_good;
	if (name_is_listed(X509_STORE_CTX_get_current_cert(store),
		tls_server_of(ssl)->client_names))
		return 1;
	X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
	return 0;
}

/* No session is resumed here: a certificate that is over, or whose name is listed no more, is seen
 * by the next handshake. */
bool
tls_peer_require(SSL_CTX *ctx, const struct tls_server_conf *conf, struct err *err)
{
	struct err why = { .code = ERR_NONE };

	if (!pem_has_certificates(conf->client_ca, &why)) {
		err_set(err, ERR_CONF, "%s", why.detail);
		return false;
	}
	if (SSL_CTX_load_verify_locations(ctx, conf->client_ca, NULL) != 1) {
		err_set(err, ERR_CONF, "%.160s has no certificates that can be used.",
		    conf->client_ca);
		return false;
	}
	SSL_CTX_set_client_CA_list(ctx, SSL_load_client_CA_file(conf->client_ca));
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
	    judge_certificate);
	return true;
}
