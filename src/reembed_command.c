/* SPDX-License-Identifier: MIT */
/*
 * reembed_command: `tenantgate reembed TENANT`, a small program on the daemon's modules: one
 * worker, whose loop is turned by the main thread, without listeners and without Redis, and one
 * flow (reembed_job.c).
 */
#include "reembed_command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "reembed_job.h"
#include "tenantgate/base/alloc.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/base/log.h"
#include "tenantgate/base/secret.h"

#define ARENA_BYTES    (64u << 20)	/* of small things: some hundred bytes a batch */
#define CLOSE_GRACE_US (2 * 1000000ull) /* for flows of the pool that nobody waits for */

const char reembed_usage[] =
    "  tenantgate -c FILE reembed TENANT                         its vectors anew, by the "
    "configured model\n";

static void
reembed_turn(struct worker_context *ctx, struct reembed_job *j)
{
	uint64_t until;

	flow_start(&j->flow, &reembed_job_kind, ctx->worker, j->flow.arena);
	while (!j->has_ended)
		worker_turn(ctx->worker, 50);
	until = clock_mono_us() + CLOSE_GRACE_US;
	while (flow_count(ctx->worker) > 0 && clock_mono_us() < until) {
		flow_abort_all(ctx->worker, ERR_SHUTDOWN, "The command has ended. Run it again.");
		worker_turn(ctx->worker, 10);
	}
}

/* As the daemon, but that nobody is listened to and nobody else is told: Redis would count this
 * process among the replicas. */
static void
reembed_run_job(const struct conf *conf, struct reembed_job *j)
{
	struct conf own = *conf;
	struct process process = { 0 };
	struct worker_context ctx = { .process = &process };

	own.redis.url = "";
	if (process_open(&process, &own, &j->err)) {
		for (unsigned i = 0; i < LISTENERS; i++)
			process.listeners[i].is_open = false;
		ctx.worker = worker_new(0);
		if (worker_context_open(&ctx, &j->err)) {
			j->ctx = &ctx;
			j->flow.arena = arena_new(ARENA_BYTES);
			reembed_turn(&ctx, j);
		}
		worker_context_close(&ctx);
		worker_free(ctx.worker);
		arena_free(j->flow.arena);
	}
	process_close(&process);
}

int
reembed_command(const struct conf *conf, int argc, char **argv)
{
	struct reembed_job *j;
	char told[ERR_TOLD_SIZE];
	int status;

	if (argc != 1 || argv[0][0] == '-' || !auth_tenant_valid(slice_str(argv[0]))) {
		fprintf(stderr, "usage:\n%s", reembed_usage);
		return 2;
	}
	log_level(LOG_WARNING);
	j = xcalloc(1, sizeof(*j));
	j->id = argv[0];
	reembed_run_job(conf, j);
	status = err_is(&j->err) ? 1 : 0;
	if (isatty(STDERR_FILENO) && j->told_us != 0)
		fprintf(stderr, "\n");
	err_tell(&j->err, told);
	if (status != 0)
		fprintf(stderr, "tenantgate: The vectors of tenant %s are as they were: %s\n",
		    j->id, told);
	else
		printf("The vectors of tenant %s are of %s%s.\n", j->id,
		    conf->model.embedding_model, j->reembed.is_done ? ", as they were" : " now");
	bytes_wipe(&j->tenant, sizeof(j->tenant));
	free(j);
	return status != 0 || fflush(stdout) != 0;
}
