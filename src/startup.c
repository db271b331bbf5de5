/* SPDX-License-Identifier: MIT */
/*
 * startup: what is done once, while the listeners are open already: the catalog's schema is brought
 * up to date, the catalog is seen to be this environment's, the keys that seal are tried, and only
 * then is anybody served and the process ready; the secret of the keys' tags is read.
 */
#include "startup.h"

#include <signal.h>
#include <unistd.h>

#include "tenantgate/base/log.h"
#include "tenantgate/tenant/ends.h"
#include "tenantgate/tenant/wishes.h"

/* In an arena of its own, which it frees. */
struct startup {
	struct flow	flow;		/* first */
	struct process	*process;	/* borrowed */
	struct tenants	*tenants;	/* borrowed: of the worker that starts us */
	_Atomic int	*exit_status;	/* borrowed: serve()'s */
	bool		reseals_on;	/* other replicas may seal with another key still */
};

static flow_step_fn startup_migrate, startup_environment, startup_reseal, startup_ready,
    startup_key_tags, startup_watch_seals;
static flow_end_fn startup_end;
static flow_release_fn startup_release;

static const struct flow_step startup_steps[] = {
	{ "migrate", startup_migrate },
	{ "environment", startup_environment },
	{ "reseal", startup_reseal },
	{ "ready", startup_ready },
	{ "key_tags", startup_key_tags },
	{ "watch_seals", startup_watch_seals },
	{ NULL, NULL },
};

static const struct flow_kind startup_kind = { "startup", startup_steps, startup_end,
	startup_release };

static struct process *
startup_process(struct flow *f)
{
	return (FLOW_OF(f, struct startup, &startup_kind))->process;
}

static enum flow_rc
startup_migrate(struct flow *f)
{
	return catalog_migrate(f, startup_process(f)->catalog);
}

static enum flow_rc
startup_environment(struct flow *f)
{
	struct process *process = startup_process(f);

	return tenants_claim_catalog(f, process->catalog, process->conf->tenants.environment);
}

static enum flow_rc
startup_reseal(struct flow *f)
{
	struct startup *s = FLOW_OF(f, struct startup, &startup_kind);
	struct process *process = s->process;

	return tenants_reseal(f, process->catalog, process->seal, &s->reseals_on);
}

/* The tags' secret is not waited for: without it all is served, only invented keys cost more. */
static enum flow_rc
startup_ready(struct flow *f)
{
	enum api_phase starting = API_STARTING;

	atomic_store(&startup_process(f)->shared.catalog_is_ours, true);
	/* Not when a drain has begun meanwhile. */
	atomic_compare_exchange_strong(&startup_process(f)->shared.phase, &starting, API_SERVING);
	log_event(LOG_NOTICE, "serve.ready", NULL, "The catalog is up to date.");
	tenant_ends_watch((FLOW_OF(f, struct startup, &startup_kind))->tenants);
	tenant_wishes_watch((FLOW_OF(f, struct startup, &startup_kind))->tenants);
	return FLOW_NEXT;
}

static enum flow_rc
startup_key_tags(struct flow *f)
{
	struct process *process = startup_process(f);

	return key_tags_load(f, process->key_tags, process->catalog);
}

static enum flow_rc
startup_watch_seals(struct flow *f)
{
	struct startup *s = FLOW_OF(f, struct startup, &startup_kind);

	if (!s->reseals_on)
		return FLOW_DONE;
	return tenants_reseal_watch(f, s->process->catalog, s->process->seal);
}

/* On a worker's thread, so the process is ended by a signal to the main thread. Without a catalog
 * catalog_migrate() tries again for ever: what fails here stays broken (a schema of a newer
 * build, another's environment, a foreign seal_keys). */
static void
startup_end(struct flow *f, const struct err *err)
{
	struct startup *s = FLOW_OF(f, struct startup, &startup_kind);

	if (!err_is(err) || err->code == ERR_SHUTDOWN)
		return;
	log_event(LOG_ERR, "serve.catalog", NULL, "%s", err->detail);
	atomic_store(s->exit_status, 1);
	kill(getpid(), SIGQUIT);
}

static void
startup_release(struct flow *f)
{
	arena_free(f->arena);
}

void
startup_begin(struct worker_context *ctx, void *arg)
{
	struct arena *arena = arena_new(1u << 20);
	struct startup *m = arena_first(arena, sizeof(*m));

	m->process = ctx->process;
	m->tenants = ctx->tenants;
	m->exit_status = arg;
	flow_start(&m->flow, &startup_kind, ctx->worker, arena);
}
