/* SPDX-License-Identifier: MIT */
/*
 * id: how long the identifiers are that several modules keep; in bytes, without the NUL, so that a
 * char array has one more. Lengths that one library or protocol sets are in its own header
 * (wire/pg.h, wire/dns.h). Constants only.
 */
#ifndef TENANTGATE_BASE_ID_H
#define TENANTGATE_BASE_ID_H

#define TENANT_ID_MAX	128	/* [A-Za-z0-9._:@-] */
#define DOCUMENT_ID_MAX	128
#define REQUEST_ID_MAX	64	/* a client's X-Request-Id: [A-Za-z0-9._:-] */
#define REQUEST_ID_LEN	20	/* one of our own: 115 bits by id_random() */
#define PLAN_NAME_MAX	32	/* a tenant's plan */

/* An API key: tg_<id>_<secret><tag>; keys of the first releases have no tag. */
#define KEY_ID_LEN	12
#define KEY_SECRET_LEN	43	/* 247 bits by id_random() */
#define KEY_TAG_LEN	8	/* 47 bits (auth.h) */

#define TOKEN_ID_LEN	12	/* of a token of ours (auth/token.h) */

#endif
