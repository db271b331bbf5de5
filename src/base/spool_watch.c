/* SPDX-License-Identifier: MIT */
/*
 * spool_watch: a mapping's page that the disk does not give. The handler runs on the thread that
 * reads it, in the middle of the read, which then goes on in memory that is zeros.
 */
#define _GNU_SOURCE /* MAP_ANONYMOUS */
#include "tenantgate/base/spool.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/spool_internal.h"

#define FILES (sizeof(((struct spool_watch *)NULL)->files) / sizeof(struct spool *))

static _Thread_local struct spool_watch *watching;
static struct sigaction before; /* whose every other fault is */

static bool
spool_has(const struct spool *s, const char *at)
{
	return s != NULL && s->map != NULL && at >= s->map && at < s->map + s->len;
}

/* All of it at once, for where one page is lost more are. */
static bool
spool_lose(struct spool *s)
{
	s->is_lost = 1;
	return mmap(s->map, s->len, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0) != MAP_FAILED;
}

/* A fault that is none of ours comes again at once, to who had it before. mmap() is a system call
 * and nothing else, and may be called here. */
static void
bus_error(int sig, siginfo_t *info, void *context)
{
	int error = errno;
	bool mended = false;

	(void)context;
	for (size_t i = 0; watching != NULL && i < FILES && !mended; i++)
		mended =
		    spool_has(watching->files[i], info->si_addr) && spool_lose(watching->files[i]);
	if (mended)
		watching->is_lost = 1;
	else
		(void)sigaction(sig, &before, NULL);
	errno = error;
}

void
spool_catch_faults(void)
{
	struct sigaction action = { .sa_sigaction = bus_error, .sa_flags = SA_SIGINFO }, now;

	sigemptyset(&action.sa_mask);
	if (sigaction(SIGBUS, &action, &now) != 0)
		abort();
	if (now.sa_sigaction != bus_error)
		before = now;
}

void
spool_watch(struct spool_watch *w)
{
	w->is_lost = 0;
	watching = w;
}

bool
spool_unwatch(struct spool_watch *w, struct err *err)
{
	watching = NULL;
	for (size_t i = 0; i < FILES; i++)
		w->is_lost |= w->files[i] != NULL && w->files[i]->is_lost;
	if (!w->is_lost)
		return true;
	err_clear(err);
	errno = EIO;
	return spool_failed("read", err);
}
