/* SPDX-License-Identifier: MIT */
/*
 * document_json: a listed document as the API shows it. Pure.
 */
#ifndef API_DOCUMENT_JSON_H
#define API_DOCUMENT_JSON_H

#include "api/request.h"
#include "tenantgate/base/buf.h"
#include "tenantgate/retrieval.h"

#define DOCUMENT_JSON_MAX	(256u << 10)	/* bytes of one; its metadata has 16 KiB at most */

/* Appends the object. "sha256" is null until the document was ready once, and "reason" is there of
 * a failed one alone. */
void	document_json(struct buf *, const struct listed_document *);

/* The id in the request's path, decoded, in its arena; NULL with ERR_NO_DOCUMENT set for one that
 * no document can have. */
const char	*document_path_id(struct request *, struct err *);
/* For the id of no document of the tenant's. */
void		 document_not_found(struct err *);
/* Sends {"document":…} with status 200, or fails where there is no row. */
enum flow_rc	 document_respond(struct flow *, const struct pg_result *);

#endif
