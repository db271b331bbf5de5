/* SPDX-License-Identifier: MIT */
/*
 * fake_tls: a certificate for localhost and 127.0.0.1 that signs itself, made on the spot.
 */
#ifndef TENANTGATE_TESTS_FAKE_TLS_H
#define TENANTGATE_TESTS_FAKE_TLS_H

#include <openssl/ssl.h>

struct fake_tls {
	SSL_CTX	*server;
	char	 folder[64];	/* a new one under /tmp */
	char	 cert[96];	/* PEM files in it */
	char	 key[96];
};

void	fake_tls_make(struct fake_tls *);
void	fake_tls_clear(struct fake_tls *);	/* files and folder too */

#endif
