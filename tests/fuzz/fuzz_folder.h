/* SPDX-License-Identifier: MIT */
/*
 * fuzz_folder: where a target has its files without a name (base/spool.h).
 */
#ifndef TESTS_FUZZ_FOLDER_H
#define TESTS_FUZZ_FOLDER_H

#include "tenantgate/base/spool.h"
#include "tests/fuzz/fuzz_check.h"

static int
fuzz_folder(void)
{
	static int folder = -1;
	struct err err = { 0 };

	if (folder < 0)
		folder = spool_folder_open("/tmp", &err);
	fuzz_check(folder >= 0);
	return folder;
}

#endif
