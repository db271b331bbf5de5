/* SPDX-License-Identifier: MIT */
/*
 * ingest_arrive: the body of POST /ingest as it comes. A small one stays in memory; of one that is
 * larger than ARRIVE_PIECE each piece is written to a file by a helper, while the client waits for
 * TCP's window to open again. So an upload takes the memory of a piece, whatever its size.
 *
 *	[piece] --enough, more to come, or a file there is--> [write] --helper--> [written] --+
 *	   ^  \--complete--> done                                                  |          |
 *	   |                                                        complete: done +--> next <+
 *	   +-----------------------------------------------------------------------+
 */
#ifndef API_INGEST_ARRIVE_H
#define API_INGEST_ARRIVE_H

#include "api/ingest_memory.h"
#include "api/ingest_room.h"

#define ARRIVE_PIECE	(512u << 10)	/* bytes in memory at least before they are written */

/* A body on its way to the disk, or there. */
struct arrived {
	struct ingest_room	 room;
	struct spool		 file;
	struct buf		 piece;		/* owned: on its way to the file */
	struct err		 err;
};
/* An offload_drop_fn. NULL is fine. */
void		arrived_free(void *);

/* Afterwards the body is in req->body, or in *out, for the caller to arrived_free(); NULL while a
 * helper has it. Fails as http_read_body(), ingest_room_add() and offload_run(). */
enum flow_rc	ingest_arrive(struct flow *, struct ingest_memory *, void **out)
		    __attribute__((warn_unused_result));

#endif
