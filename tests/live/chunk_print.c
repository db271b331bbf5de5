/* SPDX-License-Identifier: MIT */
/*
 * chunk_print: cuts texts for chunk.test.mjs, which compares with LangChain's own splitter.
 *
 * stdin: for each text a line "SIZE OVERLAP text|markdown BYTES" and that many bytes. stdout: for
 * each a line with a JSON array of its chunks. Without input it prints nothing and exits 0.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tenantgate/base/json.h"
#include "tenantgate/retrieval.h"

static void
print_chunks(const struct chunk_list *list)
{
	struct buf out;

	buf_init(&out, (size_t)1 << 30);
	buf_putc(&out, '[');
	for (size_t i = 0; i < list->count; i++) {
		if (i > 0)
			buf_putc(&out, ',');
		json_put_string(&out, list->items[i].content);
	}
	buf_puts(&out, "]\n");
	if (out.failed)
		abort();
	fwrite(out.data, 1, out.len, stdout);
	buf_free(&out);
}

static bool
one_text(unsigned size, unsigned overlap, enum chunk_separators how, size_t bytes)
{
	struct chunk_list list = { .max = 10000000 };
	char *text = malloc(bytes + 1);
	bool ok;

	ok = text != NULL && fread(text, 1, bytes, stdin) == bytes &&
	    chunk_split(slice_of(text, bytes), 0, how, size, overlap, &list);
	if (ok)
		print_chunks(&list);
	chunk_free(&list);
	free(text);
	return ok;
}

int
main(void)
{
	unsigned size, overlap;
	char how[16];
	size_t bytes;

	while (scanf("%u %u %15s %zu", &size, &overlap, how, &bytes) == 4) {
		if (getchar() != '\n' || size == 0 || overlap >= size ||
		    !one_text(size, overlap, how[0] == 'm' ? CHUNK_MARKDOWN : CHUNK_TEXT, bytes))
			return 1;
	}
	return 0;
}
