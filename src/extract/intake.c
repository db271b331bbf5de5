/* SPDX-License-Identifier: MIT */
/*
 * intake: reads the whole document from stdin into a file in memory, seals it, and puts it in
 * stdin's place. poppler has to seek, which a pipe cannot; a file in memory leaves no document on a
 * disk and goes with the process; sealed, it cannot be changed by the parser.
 */
#define _GNU_SOURCE /* memfd_create, seals */
#include "extract/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#define SEALS (F_SEAL_SEAL | F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK)

static bool
write_all(int fd, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t w = write(fd, p, n);

		if (w < 0 && errno == EINTR)
			continue;
		if (w <= 0)
			return false;
		p += w;
		n -= (size_t)w;
	}
	return true;
}

/* To the end, or to the first byte past max. */
static enum intake
intake_copy(int from, int to, size_t max)
{
	static char block[1 << 16];
	size_t total = 0;
	ssize_t n;

	while ((n = read(from, block, sizeof(block))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 || !write_all(to, block, (size_t)n)) {
			warn_errno("document");
			return INTAKE_FAILED;
		}
		total += (size_t)n;
		if (total > max) {
			fprintf(stderr,
			    "tenantgate-extract: The document has more than %zu bytes; "
			    "raise --input-max.\n",
			    max);
			return INTAKE_LARGE;
		}
	}
	return INTAKE_OK;
}

enum intake
intake_read(size_t max)
{
	int fd = memfd_create("document", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	enum intake got;

	if (fd < 0) {
		warn_errno("memfd_create");
		return INTAKE_FAILED;
	}
	got = intake_copy(STDIN_FILENO, fd, max);
	if (got != INTAKE_OK)
		return got; /* the process ends now, and the file with it */
	if (fcntl(fd, F_ADD_SEALS, SEALS) != 0 || lseek(fd, 0, SEEK_SET) != 0 ||
	    dup2(fd, STDIN_FILENO) < 0) {
		warn_errno("seal");
		return INTAKE_FAILED;
	}
	close(fd);
	return INTAKE_OK;
}
