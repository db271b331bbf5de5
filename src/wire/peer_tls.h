/* SPDX-License-Identifier: MIT */
/*
 * peer_tls: whether the certificate of a server that we connect to is for its name, and in words
 * why it is not, or why TLS did not come about. For libpq, Redis and libcurl, which each verify in
 * a way of their own, and say little of it. Private to wire/. Any thread; one at a time for an SSL.
 */
#ifndef TENANTGATE_WIRE_PEER_TLS_H
#define TENANTGATE_WIRE_PEER_TLS_H

#include <stdbool.h>
#include <stddef.h>

#include <openssl/ssl.h>

#include "tenantgate/wire/dns.h"

/* The name as TLS has it: what is sent (SNI) and what a certificate is for. A host may be written
 * with the root's dot behind it, which is in neither (RFC 6066 3). False for what is no name. */
bool	peer_tls_name(const char *host, char out[DNS_NAME_MAX + 1]);
/* The verification is to look for the host's name, or its address, among the certificate's
 * subjectAltNames: the subject's common name does not count, nor a wildcard but in place of the
 * whole first label (RFC 9525, 2 and 6.3). False: no memory. */
bool	peer_tls_expect(X509_VERIFY_PARAM *, const char *host);
/* What the verification has found (X509_V_ERR_...), X509_V_OK when all is well or none has come so
 * far. With a host, a certificate that passed is looked at as above; NULL: its name is not looked
 * at. */
long	peer_tls_verdict(const SSL *, const char *host);
/* The verdict on a certificate that is not for the host. */
long	peer_tls_other_name(const char *host);
/* "the certificate of db.example has expired (CA file /etc/ca.pem)": a part of a sentence. ca_file
 * NULL: the system's. */
void	peer_tls_describe(char *out, size_t size, const char *host, long verdict,
	    const char *ca_file);
/* Why a handshake failed for another reason: an error of OpenSSL's in words, never NULL. Borrowed
 * until the thread's next call. */
const char *peer_tls_error_words(unsigned long error);
/* Whether it is none but that the connection ended; libevent then also gives 0, or the number of
 * SSL_ERROR_SYSCALL, which are no error of any library's. */
bool	peer_tls_is_end(unsigned long error);

#endif
