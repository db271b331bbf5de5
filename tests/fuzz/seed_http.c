/* SPDX-License-Identifier: MIT */
/*
 * seed_http FOLDER: writes each of http1_cases into a file of the folder, for fuzz_http to start
 * from.
 *
 * sources: tests/unit/http1_cases_line.c tests/unit/http1_cases_fields.c
 * sources: tests/unit/http1_cases_body.c tests/unit/http1_cases_chunks.c
 */
#include <stdio.h>

#include "tests/unit/http1_cases.h"

int
main(int argc, char **argv)
{
	const struct http1_case *const lists[] = { http1_line_cases, http1_field_cases,
		http1_body_cases, http1_chunk_cases };
	unsigned n = 0;

	for (size_t i = 0; argc == 2 && i < sizeof(lists) / sizeof(lists[0]); i++) {
		for (const struct http1_case *c = lists[i]; c->name != NULL; c++) {
			char path[4096];
			FILE *f;

			snprintf(path, sizeof(path), "%s/case-%03u", argv[1], n++);
			f = fopen(path, "w");
			if (f == NULL || fwrite(c->bytes.p, 1, c->bytes.len, f) != c->bytes.len ||
			    fclose(f) != 0) {
				perror(path);
				return 1;
			}
		}
	}
	return n == 0;
}
