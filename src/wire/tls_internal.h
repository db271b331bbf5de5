/* SPDX-License-Identifier: MIT */
/*
 * tls_internal: what the files of TLS' server side share. Private to wire/.
 *
 *	tls_server.c	the contexts of OpenSSL, as a listener's settings want them
 *	tls_pair.c	one certificate with its key, from files
 *	tls_hello.c	what OpenSSL asks while a client says hello: name, protocol, ticket
 *	tls_resume.c	what a session is bound to, so that nothing else resumes it
 *	tls_peer.c	a client's certificate: is its name listed
 *	tls_session.c	one connection
 */
#ifndef WIRE_TLS_INTERNAL_H
#define WIRE_TLS_INTERNAL_H

#include <openssl/ssl.h>

#include "tenantgate/base/digest.h"
#include "tenantgate/base/refs.h"
#include "tenantgate/wire/tls_server.h"
#include "wire/tls_names.h"

#define TLS_PAIRS_MAX 256 /* certificates of a listener */

struct tls_pair {
	struct tls_certificate	 view;		/* its texts are owned, but for key_kind */
	SSL_CTX			*ctx;		/* held: its own, or an earlier pair's of
						 * the same names, which it has joined */
	int			 key_type;	/* EVP_PKEY_RSA, ... */
	bool			 signs_slowly;	/* its key takes a millisecond or more */
};

struct tls_server {
	struct refs		 refs;		/* first */
	struct tls_pair		*pairs;		/* owned: TLS_PAIRS_MAX at most */
	unsigned		 count;
	struct tls_names	 names;		/* owner: index of the pair */
	bool			 signs_slowly;	/* one of them does */
	struct tls_tickets	*tickets;	/* borrowed; NULL: no session is resumed */
	uint64_t		 ticket_period_us;
	uint8_t			 settings[SHA256_SIZE];	/* a digest */
	char			*client_names;	/* owned; NULL: clients need no certificate */
};

/* A path of one file, cut from a list. */
#define TLS_PATH_MAX 4096

/* tls_pair.c: reads both files into the context, and fills the view. False with err set. */
bool	tls_pair_read(struct tls_pair *, const char *certificate, const char *key,
	    enum tls_setting *, struct err *);
/* The names in the pair's certificate, as tls_names_add() has them. */
void	tls_pair_names(const struct tls_pair *, struct tls_names *, unsigned owner);
void	tls_pair_free(struct tls_pair *);

/* tls_hello.c: has OpenSSL ask us. */
void	tls_hello_set(SSL_CTX *, struct tls_server *);
/* tls_resume.c: a digest of what a session is negotiated by; and has OpenSSL ask us whether a
 * ticket resumes its session. */
void	tls_resume_settings(const struct tls_server_conf *, uint8_t out[SHA256_SIZE]);
void	tls_resume_set(SSL_CTX *);
/* tls_peer.c: the client's certificate is required, and its name looked up. */
bool	tls_peer_require(SSL_CTX *, const struct tls_server_conf *, struct err *);
/* The server of a session. */
struct tls_server *tls_server_of(const SSL *);
/* What a session that this handshake makes, or resumes, is bound to: SHA256_SIZE bytes. */
uint8_t	*tls_binding_of(const SSL *);

#endif
