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
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/spool_internal.h"
#include "tenantgate/base/id.h"
#include "tenantgate/base/log.h"
#include "tenantgate/base/random.h"

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

static int
open_folder(const char *path)
{
	int opened = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int folder = opened < 0 ? -1 : fcntl(opened, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);

	if (opened >= 0)
		close(opened);
	return folder;
}

/* All that will be done with its files but writing. */
static bool
folder_works(int folder, const char *path, struct err *err)
{
	struct spool trial = { .fd = folder < 0 ? -1 : open_nameless(folder) };
	int reader;

	if (trial.fd < 0) {
		err_set(err, ERR_CONF,
		    "%s: No file can be made there (%s); name a folder that can be written, or "
		    "none.",
		    path, strerror(errno));
		return false;
	}
	reader = spool_reader(&trial);
	if (reader < 0)
		err_set(err, ERR_CONF,
		    "%s: A file there cannot be opened again (%s), which /proc is for; mount "
		    "/proc, or name no folder.",
		    path, strerror(errno));
	else
		close(reader);
	spool_close(&trial);
	return reader >= 0;
}

int
spool_folder_open(const char *path, struct err *err)
{
	int folder = open_folder(path);

	if (folder_works(folder, path, err))
		return folder;
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

/* A folder that is open stays so, and takes no more files. */
static bool
folder_is_gone(int folder)
{
	struct stat st;

	return fstat(folder, &st) == 0 && st.st_nlink == 0;
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
		return spool_failed(folder_is_gone(folder)
			? "made, for the folder was removed (make it again, and restart)"
			: "made",
		    err);
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

void
spool_sha256_hex(struct slice s, char out[SHA256_HEX_SIZE])
{
	const struct spool_slice all = { s, true };
	struct sha256_sum *sum = sha256_begin();

	for (size_t at = 0, end; (end = spool_window(all, at)) > at; at = end)
		sha256_add(sum, slice_of(s.p + at, end - at));
	sha256_end_hex(sum, out);
}

bool
spool_copy(struct slice s, struct buf *out)
{
	const struct spool_slice all = { s, true };

	buf_reserve(out, s.len);
	for (size_t at = 0, end; (end = spool_window(all, at)) > at && !out->failed; at = end)
		buf_slice(out, slice_of(s.p + at, end - at));
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
