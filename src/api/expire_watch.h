/* SPDX-License-Identifier: MIT */
/*
 * expire_watch: when a worker looks next for documents of a tenant whose time is over: when there
 * is something to do, as far as it knows, and at least every ten seconds, for other workers store
 * documents too. In api_context.swept, which is not NULL here. Private to api/.
 */
#ifndef API_EXPIRE_WATCH_H
#define API_EXPIRE_WATCH_H

#include "api/request.h"

/* Who looks. They are apart: a look behind a request may have begun before a document was given a
 * time, and no search is to believe what it has found. */
enum expire_watch { EXPIRE_BEFORE, EXPIRE_BEHIND };

bool	expire_is_due(const struct request *, enum expire_watch);
/* Not due for that long; without memory it is due again at the next contact. */
void	expire_note(const struct api_context *, enum expire_watch, const char *tenant_id,
	    uint64_t wait_us);
/* What a look has found: when the next one's time is over, or why it failed, which is logged.
 * request_id: NULL for none. */
void	expire_looked(const struct api_context *, enum expire_watch, const char *tenant_id,
	    const char *request_id, uint64_t next_us, const struct err *why);

#endif
