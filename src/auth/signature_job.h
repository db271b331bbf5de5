/* SPDX-License-Identifier: MIT */
/*
 * signature_job: the check of one signature as a helper's work (loop/offload.h): what a key makes
 * slow is not computed on a loop. It has copies of all that it reads.
 */
#ifndef AUTH_SIGNATURE_JOB_H
#define AUTH_SIGNATURE_JOB_H

#include "auth/jwk.h"

struct signature_job {
	struct jwk_set *set;   /* a reference, for the key's sake */
	const struct jwk *key; /* borrowed */
	struct buf text;       /* owned */
	struct jwt token;      /* what jwt_signature_is_good() reads; its signature is owned */
	bool is_good;	       /* the outcome */
};

/* NULL: there is no memory. */
struct signature_job *signature_job_new(const struct jwt *, struct jwk_set *, const struct jwk *);
void signature_job_run(void *);	 /* an offload_fn */
void signature_job_free(void *); /* an offload_drop_fn; NULL is fine */

#endif
