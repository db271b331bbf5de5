/* SPDX-License-Identifier: MIT */
/*
 * expire_watch: when a worker looks next for documents of a tenant whose time is over: when there
 * is something to do, as far as it knows, and at least every ten seconds, for other workers store
 * documents too. In api_context.swept, which is not NULL here. Private to api/.
 */
#ifndef API_EXPIRE_WATCH_H
#define API_EXPIRE_WATCH_H

#include "api/request.h"

/* What a time is noted for. A look behind a request may have begun before a document was given its
 * time: no search is to believe what that has found, so they are apart. */
enum expire_watch {
	EXPIRE_BEFORE,	  /* the next look before a search */
	EXPIRE_BEHIND,	  /* the next one behind another request */
	EXPIRE_UNDER_WAY, /* none behind a request begins until then: there is one */
};

bool	expire_is_due(const struct request *, enum expire_watch);
/* Not due for that long; without memory it is due again at the next contact. */
void	expire_note(const struct api_context *, enum expire_watch, const char *tenant_id,
	    uint64_t wait_us);
void	expire_forget(const struct api_context *, enum expire_watch, const char *tenant_id);
/* What a look has found: when the next one's time is over, or why it failed, which is logged.
 * request_id: NULL for none. */
void	expire_looked(const struct api_context *, enum expire_watch, const char *tenant_id,
	    const char *request_id, uint64_t next_us, const struct err *why);

#endif
