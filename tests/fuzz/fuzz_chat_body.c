/* SPDX-License-Identifier: MIT */
/*
 * fuzz_chat_body: JSON bodies of POST /chat. What is read holds to what chat_body.h promises; what
 * is refused is refused for a reason that is the caller's fault.
 *
 * sources: src/api/chat_body.c src/api/chat_file.c src/api/chat_parts.c src/api/chat_turns.c
 * sources: src/base/alloc.c src/base/arena.c src/base/b64.c src/base/buf.c src/base/clock.c
 * sources: src/retrieval/formats.c src/retrieval/prompt.c src/base/err.c src/base/json.c
 * sources: src/base/json_put.c src/base/log.c src/base/log_repeat.c src/base/random.c
 * sources: src/base/utf8.c src/api/chat_scope.c src/api/owner_id.c src/auth/tenant_of.c
 * sources: src/retrieval/filter_condition.c src/retrieval/filter_value.c
 * sources: src/retrieval/search_filter.c src/base/json_memory.c
 * libs: -ljansson -lcrypto -lm
 */
#include "api/chat_turns.h"
#include "tenantgate/base/json.h"
#include "tests/fuzz/fuzz_check.h"

#define ARENA_MAX     (1u << 20)
#define FILE_TEXT_MAX 64

static struct api_conf conf = { .top_k = 4, .chat_accepts_images = true };

static void
check_input(const struct chat_input *input)
{
	fuzz_check(input->question.len > 0 && input->question.len <= CHAT_QUESTION_MAX);
	fuzz_check(json_utf8_valid(input->question));
	fuzz_check(input->application.len <= CHAT_APPLICATION_MAX &&
	    (input->application.len == 0 || conf.client_system_messages == CLIENT_SYSTEM_AFTER) &&
	    json_utf8_valid(input->application));
	fuzz_check(input->message_count >= 2 && input->message_count <= CHAT_MESSAGES_MAX + 1);
	for (size_t i = 1; i < input->message_count; i++) {
		fuzz_check(input->messages[i].role != NULL);
		fuzz_check(input->messages[i].content.len > 0 || input->files != NULL);
		fuzz_check(json_utf8_valid(input->messages[i].content));
	}
	fuzz_check(input->document_count <= SEARCH_DOCUMENTS_MAX);
	for (unsigned i = 0; i < input->document_count; i++)
		fuzz_check(input->document_ids[i][0] != '\0');
	fuzz_check(input->top_k >= 1 && input->top_k <= SEARCH_K_MAX);
	fuzz_check(input->min_score >= SCORE_MIN && input->min_score <= SCORE_MAX);
	fuzz_check(input->filter == NULL || search_filter_values(input->filter)[0] == '[');
	fuzz_check(input->temperature <= 2);
}

/* User and assistant in turn, the user first; nothing that is not UTF-8. */
static void
check_turns(struct arena *arena, struct chat_input *input)
{
	struct err err = { 0 };

	while (chat_turns_pdf(input, FILE_TEXT_MAX) != NULL)
		chat_turns_pdf(input, FILE_TEXT_MAX)->kind = CHAT_FILE_NAMED;
	if (!chat_turns_make(input, FILE_TEXT_MAX, arena, &err)) {
		fuzz_check(err_status(err.code) == 400 || err_status(err.code) == 413);
		return;
	}
	fuzz_check(input->message_count >= 2);
	for (size_t i = 1; i < input->message_count; i++) {
		const struct model_message *m = &input->messages[i];

		fuzz_check(strcmp(m->role, i % 2 == 1 ? "user" : "assistant") == 0);
		fuzz_check(m->content.len > 0 || m->image_count > 0);
		fuzz_check(json_utf8_valid(m->content));
		for (size_t k = 0; k < m->image_count; k++)
			fuzz_check(strncmp(m->images[k].p, "data:image/", 11) == 0);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct err err = { 0 };
	struct chat_input input = { 0 };
	struct arena *arena = arena_new(ARENA_MAX);
	json_t *root = json_read_object(slice_of((const char *)bytes, n), &err);
	bool ok;

	conf.client_system_messages = (enum client_system_messages)(n % 3);
	ok = root != NULL && chat_body_read(root, &conf, arena, &input, &err);
	json_decref(root); /* the strings are copies */
	fuzz_check(ok == !err_is(&err));
	if (ok)
		check_input(&input);
	if (ok)
		check_turns(arena, &input);
	else
		fuzz_check(err_status(err.code) >= 400 && err_status(err.code) < 500 &&
		    err.detail[0] != '\0' && json_utf8_valid(slice_str(err.detail)));
	arena_free(arena);
	return 0;
}
