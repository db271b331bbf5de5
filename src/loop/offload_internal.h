/* SPDX-License-Identifier: MIT */
/*
 * offload_internal: the struct behind an offload, which the door's operations (offload.c) and the
 * helper threads (offload_helper.c) share. Private to loop/.
 */
#ifndef TENANTGATE_LOOP_OFFLOAD_INTERNAL_H
#define TENANTGATE_LOOP_OFFLOAD_INTERNAL_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "loop/offload_queue.h"

struct offload {
	struct offload_conf conf;
	pthread_mutex_t lock; /* of all below but conf */
	pthread_cond_t more;  /* a job may run, or closing */
	struct offload_queue queue;
	pthread_t *threads; /* owned: conf.helpers; `started` of them run */
	unsigned started;
	unsigned idle; /* of these, waiting for `more` */
	bool closing;
	uint64_t mean_us; /* of a job's run, of late */
	uint64_t done_total, refused_total;
};

/* One thread more; none when there is none to be had. Under the lock, with one to start left. */
void	offload_helper_start(struct offload *);
/* Frees the job and what it carries, without the lock. */
void	job_drop(struct offload_job *);

#endif
