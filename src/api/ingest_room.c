/* SPDX-License-Identifier: MIT */
/*
 * ingest_room: see the header.
 */
#include "api/ingest_room.h"

bool
ingest_room_add(struct ingest_room *room, struct spool *file, struct slice bytes, struct err *err)
{
	size_t had = file->len;

	if (!share_try(room->budget, slice_str(room->tenant), 1, bytes.len, &room->grant, err))
		return false;
	if (spool_add(file, room->folder, bytes, err))
		return true;
	share_give_some(&room->grant, bytes.len - (file->len - had));
	return false;
}

void
ingest_room_close(struct ingest_room *room, struct spool *file)
{
	size_t bytes = file->len;

	spool_close(file);
	share_give_some(&room->grant, bytes);
}
