/* SPDX-License-Identifier: MIT */
/*
 * peer_tls: see peer_tls.h. The verdicts are OpenSSL's (x509_vfy.h).
 */
#include "wire/peer_tls.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/sslerr.h>
#include <openssl/x509v3.h>

#include "tenantgate/base/address.h"

#define NAME_FLAGS (X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS)

/* Those that operators meet; what they have in common is one row's words. */
static const struct {
	long verdict;
	const char *words;
} faults[] = {
	{ X509_V_ERR_CERT_HAS_EXPIRED, "has expired, or one that signed it has" },
	{ X509_V_ERR_CERT_NOT_YET_VALID, "is not valid yet: compare the clocks" },
	{ X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, "is self-signed and not a trusted one" },
	{ X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, "is signed by an authority that is not trusted" },
	{ X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT,
	    "is signed by an authority that is not trusted, or is sent without its chain" },
	{ X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
	    "is signed by an authority that is not trusted, or is sent without its chain" },
	{ X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE,
	    "is signed by an authority that is not trusted, or is sent without its chain" },
	{ X509_V_ERR_HOSTNAME_MISMATCH, "does not have this name as a subjectAltName" },
	{ X509_V_ERR_IP_ADDRESS_MISMATCH, "does not have this address as a subjectAltName" },
	{ X509_V_ERR_INVALID_PURPOSE, "is not one for a server" },
	{ X509_V_ERR_EE_KEY_TOO_SMALL, "has a key that is too small" },
	{ X509_V_ERR_UNSPECIFIED, "does not verify" },
	{ X509_V_ERR_CA_MD_TOO_WEAK, "is signed with a digest that is too weak" },
};

bool
peer_tls_name(const char *host, char out[DNS_NAME_MAX + 1])
{
	size_t len = strlen(host);

	if (len > 1 && host[len - 1] == '.')
		len--;
	if (len == 0 || len > DNS_NAME_MAX)
		return false;
	memcpy(out, host, len);
	out[len] = '\0';
	return true;
}

static bool
host_is_address(const char *host)
{
	struct in6_addr unused;

	return address_read(slice_str(host), AF_UNSPEC, &unused);
}

bool
peer_tls_expect(X509_VERIFY_PARAM *param, const char *host)
{
	char name[DNS_NAME_MAX + 1];

	X509_VERIFY_PARAM_set_hostflags(param, NAME_FLAGS);
	if (host_is_address(host))
		return X509_VERIFY_PARAM_set1_ip_asc(param, host) == 1;
	return peer_tls_name(host, name) && X509_VERIFY_PARAM_set1_host(param, name, 0) == 1;
}

long
peer_tls_verdict(const SSL *ssl, const char *host)
{
	long verdict = SSL_get_verify_result(ssl);
	X509 *shown = SSL_get0_peer_certificate(ssl);
	char name[DNS_NAME_MAX + 1];
	bool fits;

	if (verdict != X509_V_OK || host == NULL || shown == NULL)
		return verdict;
	if (host_is_address(host))
		fits = X509_check_ip_asc(shown, host, NAME_FLAGS) == 1;
	else
		fits = peer_tls_name(host, name) &&
		    X509_check_host(shown, name, 0, NAME_FLAGS, NULL) == 1;
	return fits ? X509_V_OK : peer_tls_other_name(host);
}

long
peer_tls_other_name(const char *host)
{
	return host_is_address(host) ? X509_V_ERR_IP_ADDRESS_MISMATCH
				     : X509_V_ERR_HOSTNAME_MISMATCH;
}

void
peer_tls_describe(char *out, size_t size, const char *host, long verdict, const char *ca_file)
{
	const char *words = X509_verify_cert_error_string(verdict);
	const char *before = "was not accepted: ";

	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		if (faults[i].verdict != verdict)
			continue;
		words = faults[i].words;
		before = "";
	}
	(void)snprintf(out, size, "the certificate of %.100s %s%s (%s%.60s)", host, before, words,
	    ca_file != NULL ? "CA file " : "", ca_file != NULL ? ca_file : "the system's CAs");
}

bool
peer_tls_is_end(unsigned long error)
{
	return ERR_GET_LIB(error) == 0 ||
	    (ERR_GET_LIB(error) == ERR_LIB_SSL &&
		ERR_GET_REASON(error) == SSL_R_UNEXPECTED_EOF_WHILE_READING);
}

const char *
peer_tls_error_words(unsigned long error)
{
	const char *words;

	if (ERR_SYSTEM_ERROR(error))
		return strerror((int)ERR_GET_REASON(error));
	if (peer_tls_is_end(error))
		return "the server ended the connection";
	if (ERR_GET_LIB(error) == ERR_LIB_SSL &&
	    (ERR_GET_REASON(error) == SSL_R_WRONG_VERSION_NUMBER ||
		ERR_GET_REASON(error) == SSL_R_HTTP_REQUEST))
		return "the server does not speak TLS there";
	words = ERR_reason_error_string(error);
	return words != NULL ? words : "the handshake was not completed";
}
