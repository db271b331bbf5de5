/* SPDX-License-Identifier: MIT */
/*
 * spool: see the header.
 *
 * The mapping is private: a reader that rewrites a few bytes where they lie (a form's names) makes
 * a copy of their page, and writes nothing to a disk that may be full by now.
 */
#define _GNU_SOURCE /* O_TMPFILE */
#include "tenantgate/base/spool.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/spool_internal.h"
#include "tenantgate/base/id.h"
#include "tenantgate/base/log.h"
#include "tenantgate/base/random.h"

#define WINDOW	  ((size_t)256 << 10) /* bytes looked at before their pages are given back */
#define NAME_SIZE (sizeof("tenantgate-") + 16)

/* Where the file system has no files without a name (NFS; overlayfs before Linux 6.3) it has one
 * for a moment. -1 with errno set. */
static int
open_named(int folder)
{
	char name[NAME_SIZE] = "tenantgate-";
	int fd;

	id_random(name + strlen(name), 16);
	fd = openat(folder, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd >= 0 && unlinkat(folder, name, 0) != 0) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static int
open_nameless(int folder)
{
	int fd = openat(folder, ".", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);

	return fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR) ? open_named(folder) : fd;
}

int
spool_folder_open(const char *path, struct err *err)
{
	int opened = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd;
	int folder = opened < 0 ? -1 : fcntl(opened, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);

	if (opened >= 0)
		close(opened);
	fd = folder < 0 ? -1 : open_nameless(folder);
	if (fd >= 0) {
		close(fd);
		return folder;
	}
	err_set(err, ERR_CONF,
	    "%s: No file can be made there (%s); name a folder that can be written, or none.", path,
	    strerror(errno));
	if (folder >= 0)
		close(folder);
	return -1;
}

bool
spool_folder_is_memory(int folder)
{
	struct statfs fs;

	return fstatfs(folder, &fs) == 0 && (fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC);
}

void
spool_init(struct spool *s)
{
	*s = (struct spool){ .fd = -1 };
}

void
spool_close(struct spool *s)
{
	if (s->map != NULL)
		munmap(s->map, s->len);
	if (s->fd >= 0)
		close(s->fd);
	spool_init(s);
}

bool
spool_failed(const char *what, struct err *err)
{
	int error = errno;

	log_event(LOG_ERR, "spool.failed", NULL,
	    "A file of spool_dir could not be %s: %s. Uploads that need one are refused; look at "
	    "the disk.",
	    what, strerror(error));
	err_set(err, ERR_OVERLOADED,
	    "The server cannot keep an upload of this size now. Try again in a moment.");
	return false;
}

bool
spool_add(struct spool *s, int folder, struct slice bytes, struct err *err)
{
	assert(s->map == NULL);
	if (s->fd < 0 && (s->fd = open_nameless(folder)) < 0)
		return spool_failed("made", err);
	while (bytes.len > 0) {
		ssize_t n = pwrite(s->fd, bytes.p, bytes.len, (off_t)s->len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return spool_failed("written", err);
		s->len += (size_t)n;
		bytes = slice_of(bytes.p + n, bytes.len - (size_t)n);
	}
	return true;
}

bool
spool_map(struct spool *s, struct slice *out, struct err *err)
{
	if (s->map == NULL && s->len > 0) {
		void *map = mmap(NULL, s->len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE,
		    s->fd, 0);

		if (map == MAP_FAILED)
			return spool_failed("mapped", err);
		s->map = map;
	}
	*out = slice_of(s->map, s->len);
	return true;
}

/* Advice that is not taken changes nothing but what is counted. */
void
spool_unload(struct slice s)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t from = ((uintptr_t)s.p + page - 1) & ~(page - 1);
	uintptr_t to = ((uintptr_t)s.p + s.len) & ~(page - 1);

	if (from < to)
		(void)madvise((void *)from, to - from, MADV_DONTNEED);
}

void
spool_unload_behind(struct slice s, size_t at, size_t window)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t from = at > window + page ? at - window - page : 0;

	spool_unload(slice_of(s.p + from, at - from));
}

/* Of the bytes from `at` on; 0 at their end. */
static struct slice
window_at(struct slice s, size_t at)
{
	return slice_of(s.p + at, s.len - at < WINDOW ? s.len - at : WINDOW);
}

void
spool_sha256_hex(struct slice s, char out[SHA256_HEX_SIZE])
{
	struct sha256_sum *sum = sha256_begin();

	for (size_t at = 0; at < s.len; at += window_at(s, at).len) {
		sha256_add(sum, window_at(s, at));
		spool_unload_behind(s, at, WINDOW);
	}
	spool_unload(s);
	sha256_end_hex(sum, out);
}

bool
spool_copy(struct slice s, struct buf *out)
{
	buf_reserve(out, s.len);
	for (size_t at = 0; at < s.len && !out->failed; at += window_at(s, at).len) {
		buf_slice(out, window_at(s, at));
		spool_unload_behind(s, at, WINDOW);
	}
	spool_unload(s);
	return !out->failed;
}

/* Opened anew, for a copy of a descriptor would share its rights to write. */
int
spool_reader(const struct spool *s)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", s->fd);
	return open(path, O_RDONLY | O_CLOEXEC);
}
