/* SPDX-License-Identifier: MIT */
/*
 * replay: the main() of a fuzz target without libFuzzer: each file named is one input.
 */
#include <stdio.h>

#include "tests/fuzz/fuzz_check.h"

#define INPUT_MAX	(1u << 20)

static int
replay(const char *path)
{
	uint8_t *bytes;
	FILE *f = fopen(path, "rb");
	size_t n;

	if (f == NULL) {
		perror(path);
		return 1;
	}
	bytes = malloc(INPUT_MAX);
	if (bytes == NULL)
		abort();
	n = fread(bytes, 1, INPUT_MAX, f);
	fclose(f);
	LLVMFuzzerTestOneInput(bytes, n);
	free(bytes);
	return 0;
}

int
main(int argc, char **argv)
{
	int failed = 0;

	for (int i = 1; i < argc; i++)
		failed |= replay(argv[i]);
	printf("%d inputs replayed\n", argc - 1);
	return failed;
}
