/* SPDX-License-Identifier: MIT */
/*
 * spool: bytes in a file, for what is too large to lie in memory. The file has no name (open(2),
 * O_TMPFILE): nobody else opens it, and it goes with its last descriptor, however the process ends.
 *
 *	spool_add, spool_add, ...  -->  spool_map  -->  read like memory  -->  spool_close
 *
 * A mapping is the file's pages themselves: they are the system's to take back, and are counted as
 * memory of the process only while they are looked at, until spool_unload().
 *
 * All but spool_reader() may wait for the disk: for helper threads. One thread at a time. What the
 * disk refuses (full, a quota, a fault) is ERR_OVERLOADED for the caller; why is logged as
 * `spool.failed`. Of a mapping's page that the disk does not give back only a signal tells: see
 * spool_watch().
 */
#ifndef TENANTGATE_BASE_SPOOL_H
#define TENANTGATE_BASE_SPOOL_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

#include "tenantgate/base/buf.h"
#include "tenantgate/base/digest.h"
#include "tenantgate/base/err.h"
#include "tenantgate/base/slice.h"

/* A folder in which files can be made and written, for the caller to close, and never 0 to 2; -1
 * with err set (ERR_CONF): a sentence that begins with the path. Makes a file there, opens it as
 * spool_reader() does, and forgets it. */
int	spool_folder_open(const char *path, struct err *);
/* Whether its files lie in memory all the same (tmpfs(5)). */
bool	spool_folder_is_memory(int folder);

struct spool {
	int	 fd;		/* owned; -1: there is no file yet */
	size_t	 len;		/* bytes in it */
	char	*map;		/* owned: all of it; NULL: not mapped */
	volatile sig_atomic_t is_lost;	/* the mapping is zeros: see spool_watch() */
};
void	spool_init(struct spool *);
void	spool_close(struct spool *);		/* back to the state after spool_init() */
static inline bool
spool_is_open(const struct spool *s)
{
	return s->fd >= 0;
}

/* At the end; the first makes the file, in the folder. Never of what is mapped. False with err set:
 * then the file is not whole, and only to be closed. */
bool	spool_add(struct spool *, int folder, struct slice, struct err *);
/* All bytes, where they may be changed without a change of the file: a page that was changed is the
 * process's own from then on. Good until spool_close(). False with err set. */
bool	spool_map(struct spool *, struct slice *out, struct err *);

/* Of a mapping, unchanged since: the pages of these bytes are not looked at for a while. What lies
 * on a page only in part is left. */
void	spool_unload(struct slice);
/* The same of the window of so many bytes before `at`, and of the page that the one before it has
 * left, for who goes through the bytes of `s` window by window. */
void	spool_unload_behind(struct slice s, size_t at, size_t window);
/* Bytes in memory, or of a mapping that nobody changes meanwhile: for who goes through them from
 * their beginning to their end. */
struct spool_slice {
	struct slice	 bytes;
	bool		 is_mapped;
};
/* Where the window ends that begins at `at`; at the end of the bytes, the end. Of a mapping windows
 * are small, and the pages before this one are unloaded; at 0 all of them, which another may have
 * left. What is in memory is one window. The reader may look and go a few bytes past a window, or
 * less far:
 *
 *	for (size_t at = 0, end; (end = spool_window(s, at)) > at;)
 *		while (at < end)
 *			at += ...;
 */
size_t	spool_window(struct spool_slice, size_t at);
/* Whether the test is true of each window. None begins in the middle of a character where the bytes
 * are UTF-8. */
typedef bool spool_test_fn(struct slice);
bool	spool_all(struct spool_slice, spool_test_fn *);
/* As sha256_hex() and buf_slice(), and unload behind themselves. */
void	spool_sha256_hex(struct slice, char out[SHA256_HEX_SIZE]);
bool	spool_copy(struct slice, struct buf *out);
/* Before mappings are watched: SIGBUS has a handler from now on. Idempotent; on one thread. */
void	spool_catch_faults(void);
/* Mappings that this thread reads. A page that the disk does not give (it is broken, or a server
 * that has it is gone) is SIGBUS, which ends the process, and with it every client's request.
 * Between these two the mapping becomes zeros instead, and stays so; what was read of it is worth
 * nothing, and the second says so: false with err set anew. */
struct spool_watch {
	struct spool	*files[2];	/* borrowed; NULL: none. May be closed meanwhile */
	volatile sig_atomic_t is_lost;	/* one of them was */
};
void	spool_watch(struct spool_watch *);
bool	spool_unwatch(struct spool_watch *, struct err *);
/* A descriptor of its own to read the file from its beginning, and nothing else; for the caller to
 * close. -1 with errno set. */
int	spool_reader(const struct spool *);

#endif
