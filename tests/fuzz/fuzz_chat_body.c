/* SPDX-License-Identifier: MIT */
/*
 * fuzz_chat_body: JSON bodies of POST /chat. What is read holds to what chat_body.h promises; what
 * is refused is refused for a reason that is the caller's fault.
 *
 * sources: src/api/chat_body.c src/api/chat_file.c src/api/chat_parts.c src/base/alloc.c
 * sources: src/base/arena.c src/base/b64.c src/base/buf.c src/base/clock.c
 * sources: src/retrieval/formats.c
 * sources: src/base/err.c src/base/json.c src/base/json_put.c src/base/log.c
 * sources: src/base/log_repeat.c src/base/utf8.c
 * libs: -ljansson
 */
#include "api/chat_body.h"
#include "tenantgate/base/json.h"
#include "tests/fuzz/fuzz_check.h"

#define ARENA_MAX (1u << 20)

static const struct api_conf conf = { .top_k = 4, .chat_accepts_images = true };

static void
check_input(const struct chat_input *input)
{
	fuzz_check(input->question.len > 0 && input->question.len <= CHAT_QUESTION_MAX);
	fuzz_check(json_utf8_valid(input->question));
	fuzz_check(input->message_count >= 2 && input->message_count <= CHAT_MESSAGES_MAX + 1);
	for (size_t i = 1; i < input->message_count; i++) {
		fuzz_check(input->messages[i].role != NULL && input->messages[i].content.len > 0);
		fuzz_check(json_utf8_valid(input->messages[i].content));
	}
	fuzz_check(input->document_count <= SEARCH_DOCUMENTS_MAX);
	for (unsigned i = 0; i < input->document_count; i++)
		fuzz_check(input->document_ids[i][0] != '\0');
	fuzz_check(input->top_k >= 1 && input->top_k <= SEARCH_K_MAX);
	fuzz_check(input->temperature <= 2);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct err err = { 0 };
	struct chat_input input = { 0 };
	struct arena *arena = arena_new(ARENA_MAX);
	json_t *root = json_read_object(slice_of((const char *)bytes, n), &err);
	bool ok = root != NULL && chat_body_read(root, &conf, arena, &input, &err);

	json_decref(root); /* the strings are copies */
	fuzz_check(ok == !err_is(&err));
	if (ok)
		check_input(&input);
	else
		fuzz_check(err_status(err.code) >= 400 && err_status(err.code) < 500 &&
		    err.detail[0] != '\0' && json_utf8_valid(slice_str(err.detail)));
	arena_free(arena);
	return 0;
}
