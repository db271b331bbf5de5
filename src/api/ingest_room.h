/* SPDX-License-Identifier: MIT */
/*
 * ingest_room: the files of one POST /ingest on the disk (base/spool.h), and its share of
 * max_spool_size, one for all of them: bytes are taken of the tenant's share before they are
 * written, and never waited for, as those in memory are (ingest_memory.h). May wait for the disk:
 * on helpers. One thread at a time.
 */
#ifndef API_INGEST_ROOM_H
#define API_INGEST_ROOM_H

#include "tenantgate/base/id.h"
#include "tenantgate/base/spool.h"
#include "tenantgate/loop/share.h"

/* What it borrows outlives all helpers' work. Moved, never copied: the grant is its own. */
struct ingest_room {
	int			 folder;	/* borrowed; 0: none, bodies stay in memory */
	struct share_budget	*budget;	/* borrowed */
	char			 tenant[TENANT_ID_MAX + 1];
	struct share_grant	 grant;		/* for the bytes of its files */
};
/* As spool_add(). ERR_OVERLOADED, too, when others have the disk; ERR_TOO_LARGE when its files
 * would have more together than one tenant may ever have. */
bool	ingest_room_add(struct ingest_room *, struct spool *, struct slice, struct err *);
void	ingest_room_close(struct ingest_room *, struct spool *);	/* idempotent */

#endif
