/* SPDX-License-Identifier: MIT */
/*
 * intake: the document as a file that can be read, and not be changed by the parser: poppler has to
 * seek, which a pipe cannot. A file that is stdin already, opened for reading alone, is that file.
 * All else is read into a file in memory, which goes with the process, is sealed, and takes stdin's
 * place.
 */
#define _GNU_SOURCE /* memfd_create, seals */
#include "extract/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
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

static enum intake
intake_large(size_t max)
{
	fprintf(stderr,
	    "tenantgate-extract: The document has more than %zu bytes; raise --input-max.\n", max);
	return INTAKE_LARGE;
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
		if (total > max)
			return intake_large(max);
	}
	return INTAKE_OK;
}

static bool
is_file_to_read(int fd, struct stat *st)
{
	int flags = fcntl(fd, F_GETFL);

	return flags >= 0 && (flags & O_ACCMODE) == O_RDONLY && fstat(fd, st) == 0 &&
	    S_ISREG(st->st_mode);
}

static enum intake
intake_to_memory(size_t max)
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

enum intake
intake_read(size_t max)
{
	struct stat st;

	if (!is_file_to_read(STDIN_FILENO, &st) || lseek(STDIN_FILENO, 0, SEEK_CUR) != 0)
		return intake_to_memory(max);
	return (uintmax_t)st.st_size > max ? intake_large(max) : INTAKE_OK;
}
