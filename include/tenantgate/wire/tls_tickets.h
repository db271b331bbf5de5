/* SPDX-License-Identifier: MIT */
/*
 * tls_tickets: the keys that session tickets are sealed with (RFC 5077, RFC 8446 4.6.1): of the
 * process, made by chance at its start, the same for all workers, so that a client resumes on
 * whichever it comes to. Every `period` there is a new key; the one of before opens tickets for one
 * period more, and whoever brings one of those gets a new ticket. So who steals a key reads what
 * was said under two periods' TLS 1.2, and no more. A restart makes new keys, which costs each
 * client one full handshake. Any thread.
 */
#ifndef TENANTGATE_WIRE_TLS_TICKETS_H
#define TENANTGATE_WIRE_TLS_TICKETS_H

#include <stdbool.h>
#include <stdint.h>

#define TLS_TICKET_NAME	16	/* bytes, as the next two */
#define TLS_TICKET_AES	32	/* AES-256-CBC */
#define TLS_TICKET_MAC	32	/* HMAC-SHA-256 */

struct tls_ticket_key {
	unsigned char	name[TLS_TICKET_NAME];	/* goes with each ticket, in the clear */
	unsigned char	aes[TLS_TICKET_AES];
	unsigned char	mac[TLS_TICKET_MAC];
};

struct tls_tickets;

struct tls_tickets	*tls_tickets_new(void);
void			 tls_tickets_free(struct tls_tickets *);	/* wipes; NULL is fine */
/* Of a new ticket; period_us > 0. */
void			 tls_tickets_newest(struct tls_tickets *, uint64_t period_us,
			    struct tls_ticket_key *out);
/* False when no key of that name opens tickets any more. is_old: the ticket is to be replaced. */
bool			 tls_tickets_find(struct tls_tickets *, uint64_t period_us,
			    const unsigned char name[TLS_TICKET_NAME], struct tls_ticket_key *out,
			    bool *is_old);

#endif
