/* SPDX-License-Identifier: MIT */
/* reload.c: see the header. */
#include "reload.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "preflight.h"
#include "reload_outcome.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/base/log.h"

#define REASONS_MAX (64u << 10) /* bytes of all errors together, as of all warnings */

/* What one run has found, on reload_run()'s stack. */
struct reload_found {
	struct buf errors, warnings;
	bool is_applied;
	char *outcome; /* owned, until it is copied to those who wait */
};

void
reload_open(struct reload *r, const char *path, struct process *process)
{
	*r = (struct reload){ .path = path, .process = process };
	if (pthread_mutex_init(&r->lock, NULL) != 0)
		abort();
}

static struct admin_reload *
asked_take(struct reload *r)
{
	struct admin_reload *asked;

	pthread_mutex_lock(&r->lock);
	asked = r->asked;
	r->asked = NULL;
	pthread_mutex_unlock(&r->lock);
	return asked;
}

void
reload_close(struct reload *r)
{
	struct admin_reload *asked = asked_take(r), *next;

	for (; asked != NULL; asked = next) {
		next = asked->next;
		refs_give(&asked->refs);
	}
	pthread_mutex_destroy(&r->lock);
}

void
reload_ask(void *arg, struct admin_reload *wish)
{
	struct reload *r = arg;

	refs_take(&wish->refs);
	pthread_mutex_lock(&r->lock);
	wish->next = r->asked;
	r->asked = wish;
	pthread_mutex_unlock(&r->lock);
	(void)kill(getpid(), RELOAD_SIGNAL);
}

/* Also when there was no memory to tell them. */
static bool
has_errors(const struct reload_found *found)
{
	return found->errors.len > 0 || found->errors.failed;
}

/* The last that is written of a wish is that it is done. */
static void
asked_answer(struct admin_reload *asked, const struct reload_found *found)
{
	struct admin_reload *next;

	for (; asked != NULL; asked = next) {
		next = asked->next;
		asked->is_refused = has_errors(found);
		asked->outcome = found->outcome == NULL ? NULL : strdup(found->outcome);
		atomic_store(&asked->is_done, true);
		refs_give(&asked->refs);
	}
}

/* From here on nothing can fail. The workers hear of it one after the other; what they share is
 * told before. */
static void
reload_apply(struct reload *r, struct conf_file *file, struct worker_context *contexts,
    unsigned count)
{
	struct snapshot *before = r->process->snapshot, *next = snapshot_new(file);

	file->conf.tenants.plans.generation = ++r->count;
	process_configure(r->process, next);
	for (unsigned i = 0; i < count; i++)
		worker_call(&contexts[i], worker_context_configure, next);
	log_level(next->conf->log_level);
	snapshot_follow(before, next);
	refs_give(&before->refs);
}

static void
reload_read(struct reload *r, struct conf_file *file, struct reload_found *found)
{
	if (!has_errors(found))
		preflight_reload(&file->conf, r->path, &found->errors, &found->warnings);
	if (!has_errors(found))
		listener_tls_open(&file->tls, &file->conf, r->process->tickets, &found->errors,
		    &found->warnings);
	if (has_errors(found)) {
		found->outcome = reload_outcome_refused(&found->errors);
		reload_log_refused(r->path, &found->errors);
		return;
	}
	conf_keep_running(&file->conf, r->process->snapshot->conf);
	found->outcome = reload_outcome_told(&file->conf, r->process->snapshot->conf,
	    &found->warnings, found->is_applied);
}

static bool
any_applies(const struct admin_reload *asked)
{
	for (; asked != NULL; asked = asked->next)
		if (!asked->is_dry_run)
			return true;
	return false;
}

/* For metrics. */
static void
reload_note(struct api_shared *shared, bool is_good)
{
	atomic_store(&shared->reload_has_failed, !is_good);
	if (is_good)
		atomic_store(&shared->configured_us, clock_wall_us());
}

void
reload_run(struct reload *r, struct worker_context *contexts, unsigned count, bool by_signal)
{
	struct admin_reload *asked = asked_take(r);
	struct reload_found found = { .is_applied = by_signal || any_applies(asked) };
	struct conf_file *file;

	if (asked == NULL && !by_signal)
		return;
	buf_init(&found.errors, REASONS_MAX);
	buf_init(&found.warnings, REASONS_MAX);
	file = conf_file_new(r->path, &found.errors);
	reload_read(r, file, &found);
	if (found.is_applied)
		reload_note(&r->process->shared, !has_errors(&found));
	if (!has_errors(&found) && found.is_applied) {
		reload_apply(r, file, contexts, count);
		reload_log_applied(r->path, &file->conf);
	}
	asked_answer(asked, &found);
	refs_give(&file->refs);
	free(found.outcome);
	buf_free(&found.errors);
	buf_free(&found.warnings);
}
