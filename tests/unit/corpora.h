/* SPDX-License-Identifier: MIT */
/*
 * corpora: cases that other projects collected. They belong to those projects and are no part of
 * this tree: they are in $TENANTGATE_CORPORA (an absolute path) or, where that is not set, in
 * shared/corpora beside the source tree (CORPORA_DIR, by CORPORA_CPPFLAGS of tests/sources.am). A
 * test whose file is not there says `# not run: ...` and is skipped; tests/tap.awk then counts it
 * neither as passed nor as failed.
 */
#ifndef TESTS_CORPORA_H
#define TESTS_CORPORA_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* The file's JSON, the caller's to give back; does not return where there is no such file. One
 * that is there and cannot be read fails the test. */
static inline json_t *
corpora_load(const char *file)
{
	const char *folder = getenv("TENANTGATE_CORPORA");
	char path[PATH_MAX];
	json_error_t why;
	json_t *root;

	if (folder == NULL || folder[0] == '\0')
		folder = CORPORA_DIR;
	snprintf(path, sizeof(path), "%s/%s", folder, file);
	if (access(path, F_OK) != 0) {
		print_message("# not run: there is no %s\n", path);
		skip();
	}
	root = json_load_file(path, 0, &why);
	if (root == NULL)
		fail_msg("%s: %s", path, why.text);
	return root;
}

#endif
