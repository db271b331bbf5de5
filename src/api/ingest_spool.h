/* SPDX-License-Identifier: MIT */
/*
 * ingest_spool: a file of POST /ingest on the disk (base/spool.h), with its share of
 * max_spool_size: bytes are taken of the tenant's share before they are written, and never waited
 * for, as those in memory are (ingest_memory.h). May wait for the disk: on helpers. One thread at a
 * time.
 */
#ifndef API_INGEST_SPOOL_H
#define API_INGEST_SPOOL_H

#include "tenantgate/base/id.h"
#include "tenantgate/base/spool.h"
#include "tenantgate/loop/share.h"

/* Where its files lie, and of whose share. Copied; what it borrows outlives all helpers' work. */
struct ingest_room {
	int			 folder;	/* borrowed; 0: none, bodies stay in memory */
	struct share_budget	*budget;	/* borrowed */
	char			 tenant[TENANT_ID_MAX + 1];
};

struct ingest_spool {
	struct spool		 spool;
	struct share_grant	 grant;		/* for its bytes */
};
void	ingest_spool_init(struct ingest_spool *);
/* As spool_add(); ERR_OVERLOADED, ERR_TOO_LARGE past the share, too. */
bool	ingest_spool_add(struct ingest_spool *, const struct ingest_room *, struct slice,
	    struct err *);
void	ingest_spool_close(struct ingest_spool *);	/* idempotent */

static inline bool
ingest_spool_is_open(const struct ingest_spool *s)
{
	return s->spool.fd >= 0;
}

#endif
