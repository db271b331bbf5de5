/* SPDX-License-Identifier: MIT */
/*
 * request_job: see the header. What always holds: the job reads nothing of the worker's: its model
 * is a copy, and it holds the servers that choice and strings are of.
 */
#include "model/request_job.h"

#include "tenantgate/base/arena.h"

#define IMAGE_OVERHEAD 64	   /* bytes around an image's URL in JSON, and of its slice */
#define JOB_OVERHEAD   (64u << 10) /* bytes of the arena besides texts and messages */

struct request_job {
	struct arena *arena; /* owned: the job itself, too */
	struct model model;  /* a copy, for its configuration */
	struct model_call call;
	struct model_chat chat; /* strings in the arena */
	bool written;
};

size_t
chat_text_bytes(const struct model_chat *chat)
{
	size_t bytes = 0;

	for (size_t i = 0; i < chat->message_count; i++) {
		const struct model_message *m = &chat->messages[i];

		bytes += m->content.len;
		for (size_t k = 0; k < m->image_count; k++)
			bytes += m->images[k].len + IMAGE_OVERHEAD;
	}
	return bytes;
}

/* False when the arena has no memory. */
static bool
images_copy(struct arena *arena, const struct model_message *from, struct model_message *to)
{
	struct slice *copies;

	to->image_count = from->image_count;
	if (from->image_count == 0)
		return true;
	copies = arena_array(arena, from->image_count, sizeof(*copies));
	if (copies == NULL)
		return false;
	for (size_t i = 0; i < from->image_count; i++) {
		copies[i] = slice_of(arena_slice(arena, from->images[i]), from->images[i].len);
		if (copies[i].p == NULL)
			return false;
	}
	to->images = copies;
	return true;
}

/* False when the arena has no memory. */
static bool
messages_copy(struct request_job *j, const struct model_chat *chat)
{
	struct model_message *copies;

	copies = arena_array(j->arena, chat->message_count, sizeof(*copies));
	if (copies == NULL)
		return false;
	for (size_t i = 0; i < chat->message_count; i++) {
		struct slice content = chat->messages[i].content;
		const char *text = arena_slice(j->arena, content);

		copies[i].role = arena_strdup(j->arena, chat->messages[i].role);
		copies[i].content = slice_of(text, content.len);
		if (text == NULL || copies[i].role == NULL ||
		    !images_copy(j->arena, &chat->messages[i], &copies[i]))
			return false;
	}
	j->chat.messages = copies;
	return true;
}

void *
request_job_new(const struct model_call *call, const struct model_chat *chat)
{
	size_t room = chat->message_count * (sizeof(*chat->messages) + 64);
	struct arena *arena = arena_new(2 * chat_text_bytes(chat) + room + JOB_OVERHEAD);
	struct request_job *j = arena_first(arena, sizeof(*j));

	j->arena = arena;
	j->model = *call->model;
	refs_take(&j->model.servers->refs);
	j->call.model = &j->model;
	j->call.choice = call->choice;
	j->call.trial = call->trial;
	memcpy(j->call.user, call->user, sizeof(j->call.user));
	j->chat = *chat;
	j->chat.name = NULL; /* the choice says it */
	if (messages_copy(j, chat))
		return j;
	request_job_free(j);
	return NULL;
}

void
request_job_free(void *arg)
{
	struct request_job *j = arg;

	if (j == NULL)
		return;
	buf_free(&j->call.body);
	refs_give(&j->model.servers->refs);
	arena_free(j->arena);
}

void
request_job_again(void *arg, const struct model_call *call)
{
	struct request_job *j = arg;

	j->call.choice = call->choice;
	j->call.trial = call->trial;
}

void
request_job_run(void *arg)
{
	struct request_job *j = arg;

	j->written = request_json_chat(&j->call, &j->chat);
}

bool
request_job_take(void *arg, struct buf *body)
{
	struct request_job *j = arg;

	*body = j->call.body;
	buf_init(&j->call.body, 0);
	return j->written;
}
