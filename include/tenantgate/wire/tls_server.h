/* SPDX-License-Identifier: MIT */
/*
 * tls_server: what a listener's TLS is made of: certificates with their keys, which of them a
 * client is shown, versions and ciphers, whom of the clients it believes. Read from files and
 * checked on the main thread, all or nothing; then it does not change, and is shared by all
 * workers. A reload makes another; whoever has the old one goes on with it. A session is resumed
 * under the versions, ciphers and host's name that it was made under, and no others.
 *
 * What is never done: TLS 1.1 and older, compression, renegotiation, early data (0-RTT, which a
 * thief can send again), OCSP. ALPN offers http/1.1: a client that speaks h2 alone is refused with
 * no_application_protocol (RFC 7301 3.2), as nginx does.
 */
#ifndef TENANTGATE_WIRE_TLS_SERVER_H
#define TENANTGATE_WIRE_TLS_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "tenantgate/base/err.h"
#include "tenantgate/wire/tls_tickets.h"

struct tls_server;

enum tls_version { TLS_VERSION_1_2, TLS_VERSION_1_3 };

struct tls_server_conf {
	/* Files between commas, PEM: a certificate, then the chain above it. A folder stands for
	 * all *.pem and *.crt in it, in the order of their names. The first is for clients that
	 * name no host, or none that is known. */
	const char		*certificates;
	/* Files between commas, one for each of the former; empty: a key is in the file of its
	 * certificate, or beside it with the suffix .key. */
	const char		*keys;
	enum tls_version	 version_min;
	const char		*ciphers;	/* of TLS 1.2, as OpenSSL has them; those of 1.3
						 * are all good */
	const char		*client_ca;	/* file: who signs clients' certificates, which
						 * are required then; NULL or "": none are */
	const char		*client_names;	/* between commas; one of them must be in the
						 * certificate; "*": all that the CA has signed */
	uint64_t		 ticket_period_us; /* 0: sessions are not resumed */
	struct tls_tickets	*tickets;	/* borrowed for as long as the server is */
	const char		*name;		/* static: of the listener; a session of another
						 * one's is not resumed */
};

/* Mozilla's intermediate ciphers less those of DHE, which cost a server a hundred times what they
 * cost who asks for them (CVE-2002-20001). */
#define TLS_CIPHERS_DEFAULT                                                                        \
	"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:" \
	"ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"

/* Which of the settings is at fault. */
enum tls_setting {
	TLS_SETTING_CERTIFICATE,
	TLS_SETTING_KEY,
	TLS_SETTING_CIPHERS,
	TLS_SETTING_CLIENT_CA,
	TLS_SETTING_CLIENT_NAMES,
};

/* With one reference. NULL with err set: ERR_CONF, the file in it. Reads files: not for a loop. */
struct tls_server	*tls_server_new(const struct tls_server_conf *, enum tls_setting *,
			    struct err *);
struct tls_server	*tls_server_take(struct tls_server *);	/* one reference more; or NULL */
void			 tls_server_give(struct tls_server *);	/* one less; NULL is fine */
/* Whether clients are to show who they are. */
bool			 tls_server_asks_clients(const struct tls_server *);

/* Of one certificate: borrowed from the server. */
struct tls_certificate {
	const char	*file;
	const char	*name;		/* its first; "" when it has none */
	const char	*key_kind;	/* static: "RSA-2048", "EC", ... */
	int64_t		 not_before, not_after;	/* seconds since 1970 */
};
unsigned			 tls_server_certificates(const struct tls_server *);
const struct tls_certificate	*tls_server_certificate(const struct tls_server *, unsigned i);

#endif
