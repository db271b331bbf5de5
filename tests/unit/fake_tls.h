/* SPDX-License-Identifier: MIT */
/*
 * fake_tls: a certificate for localhost and 127.0.0.1 that signs itself, made on the spot; or one
 * with a fault.
 */
#ifndef TENANTGATE_TESTS_FAKE_TLS_H
#define TENANTGATE_TESTS_FAKE_TLS_H

#include <openssl/ssl.h>

struct fake_tls {
	SSL_CTX	*server;
	char	 folder[64];	/* a new one under /tmp */
	char	 cert[96];	/* PEM files in it */
	char	 key[96];
	char	 named[64];	/* the host that the last client named (SNI); "" for none */
};

enum fake_fault {
	FAULT_NONE,
	FAULT_EXPIRED,
	FAULT_EARLY,		/* not valid yet */
	FAULT_OTHER_NAMES,	/* for other.example and 192.0.2.1; its common name is localhost */
	FAULT_NO_NAMES,		/* the common name alone */
	FAULT_SLOW,		/* its key takes long to sign with */
};

void	fake_tls_make(struct fake_tls *);
void	fake_tls_make_with(struct fake_tls *, enum fake_fault);
void	fake_tls_clear(struct fake_tls *);	/* files and folder too */

#endif
