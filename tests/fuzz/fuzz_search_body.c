/* SPDX-License-Identifier: MIT */
/*
 * fuzz_search_body: JSON bodies of POST /search, filter and all. What is read holds to what
 * search_body.h promises; what is refused is the caller's fault, in a sentence.
 *
 * sources: src/api/chat_file.c src/api/chat_parts.c src/api/chat_scope.c src/api/owner_id.c
 * sources: src/api/search_body.c src/auth/tenant_named.c src/auth/tenant_of.c src/base/alloc.c
 * sources: src/base/arena.c src/base/b64.c src/base/buf.c src/base/clock.c src/base/err.c
 * sources: src/base/json.c src/base/json_put.c src/base/log.c src/base/log_repeat.c
 * sources: src/base/utf8.c src/retrieval/filter_condition.c src/retrieval/filter_value.c
 * sources: src/retrieval/formats.c src/retrieval/search_filter.c src/base/json_memory.c
 * libs: -ljansson -lcrypto -lm
 */
#include "api/search_body.h"
#include "tenantgate/auth/tenant_named.h"
#include "tenantgate/base/json.h"
#include "tests/fuzz/fuzz_check.h"

#define ARENA_MAX (1u << 20)

static void
check_search(const struct chat_input *input)
{
	fuzz_check(input->question.len > 0 && input->question.len <= CHAT_QUESTION_MAX);
	fuzz_check(json_utf8_valid(input->question));
	fuzz_check(input->document_count <= SEARCH_DOCUMENTS_MAX);
	for (unsigned i = 0; i < input->document_count; i++)
		fuzz_check(input->document_ids[i][0] != '\0' &&
		    strlen(input->document_ids[i]) <= DOCUMENT_ID_MAX);
	fuzz_check(input->top_k >= 1 && input->top_k <= SEARCH_K_MAX);
	fuzz_check(input->min_score >= SCORE_MIN && input->min_score <= SCORE_MAX);
	fuzz_check(input->mode == SEARCH_VECTOR || input->mode == SEARCH_TEXT ||
	    input->mode == SEARCH_HYBRID);
	fuzz_check(input->filter == NULL || search_filter_values(input->filter)[0] == '[');
}

static void
check_search_refusal(const struct err *err)
{
	fuzz_check(err_status(err->code) >= 400 && err_status(err->code) < 500);
	fuzz_check(err->detail[0] != '\0' && json_utf8_valid(slice_str(err->detail)));
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct arena *arena = arena_new(ARENA_MAX);
	char tenant[TENANT_ID_MAX + 1] = "acme";
	struct chat_input input = { 0 };
	struct err err = { 0 };
	json_t *root = json_read_object(slice_of((const char *)bytes, n), &err);
	bool ok = root != NULL && tenant_named_in_json(root, tenant, &err) &&
	    search_body_read(root, 4, arena, &input, &err);

	json_decref(root); /* the strings are copies */
	fuzz_check(ok == !err_is(&err));
	fuzz_check(strcmp(tenant, "acme") == 0);
	if (ok)
		check_search(&input);
	else
		check_search_refusal(&err);
	arena_free(arena);
	return 0;
}
