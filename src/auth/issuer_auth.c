/* SPDX-License-Identifier: MIT */
/*
 * issuer_auth: checks a token of an issuer.
 *
 *	its form, its issuer, its claims --no--> nobody, with the cause
 *	          | fine
 *	its key: known? --yes--> its signature --> the caller, or nobody
 *	          | no                    \ by a key that is slow: [compute] on a helper --> [judge]
 *	[keys] wait for a fetch, if one may begin --> [verify]: the same again, once
 *
 * What is cheap comes first: a token that is not for us, or over, costs neither a fetch of keys nor
 * a signature. What it says is believed only behind the signature.
 *
 * Nothing here logs a token or a claim.
 */
#include "auth/issuer_auth.h"

#include <stdio.h>
#include <stdlib.h>

#include "auth/jwt_claims.h"
#include "auth/signature_job.h"
#include "tenantgate/base/alloc.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/base/mutation.h"
#include "tenantgate/loop/offload.h"

struct jwt_check {
	struct flow flow;
	struct join_waiter waiter;
	struct issuer_auth *auth;    /* borrowed */
	struct issuers *issuers;     /* a reference, for the next's sake */
	const struct issuer *issuer; /* borrowed */
	struct jwt token;	     /* owned; borrows from the request's field */
	struct jwt_sender sender;
	struct caller *out;	/* borrowed: the waiting flow's */
	struct arena *arena;	/* borrowed: the waiting flow's; or NULL */
	unsigned retry_after_s; /* while there are no keys */
	void *job;		/* owned: struct signature_job; NULL: none is to be computed */
	bool has_no_memory;	/* for the profile of who has sent a good one */
};

static flow_step_fn jwt_check_keys, jwt_check_verify, jwt_check_compute, jwt_check_judge;
static flow_release_fn jwt_check_release;

static const struct flow_step jwt_check_steps[] = {
	{ "keys", jwt_check_keys },
	{ "verify", jwt_check_verify },
	{ "compute", jwt_check_compute },
	{ "judge", jwt_check_judge },
	{ NULL, NULL },
};

static const struct flow_kind jwt_check_kind = { "jwt_check", jwt_check_steps, NULL,
	jwt_check_release };

/* ---- what is had of a good token ---- */

/* A copy in the arena; NULL: it says nothing, or there is no memory, for it is only a name. */
static const char *
profile_text(struct arena *a, struct slice s)
{
	return s.len > 0 ? arena_slice(a, s) : NULL;
}

static const struct caller_profile *
profile_make(const struct jwt_check *c)
{
	const struct issuer_conf *conf = &c->issuer->conf;
	struct caller_profile *p = c->arena != NULL ? arena_alloc(c->arena, sizeof(*p)) : NULL;

	if (p == NULL)
		return NULL;
	p->issuer = arena_strdup(c->arena, conf->name);
	p->provisions_per_minute = conf->provisions_per_minute;
	p->tenant_is_user = strcmp(conf->tenant_claim, conf->user_claim) == 0;
	p->name = profile_text(c->arena, c->sender.name);
	p->email = profile_text(c->arena, c->sender.email);
	p->avatar_url = profile_text(c->arena, c->sender.avatar_url);
	return p->issuer != NULL ? p : NULL;
}

/* Without its profile, where one is asked for, nobody is let in: the rate of newcomers is in it. */
static void
caller_fill(const struct jwt_check *c)
{
	struct caller *out = c->out;
	const struct caller_profile *profile = profile_make(c);

	if (profile == NULL && c->arena != NULL)
		return;

	out->kind = CALLER_TOKEN;
	snprintf(out->tenant, sizeof(out->tenant), "%s",
	    mutated(MUTATION_ISSUER_TENANT, c->sender.tenant));
	memcpy(out->user, c->sender.user, sizeof(out->user));
	out->scopes = c->issuer->scopes;
	out->has_own_only = c->issuer->has_own_only;
	out->profile = profile;
	out->cause = NULL;
}

/* ---- the key, and the signature ---- */

static void
judge_signature(struct jwt_check *c, bool is_good)
{
	c->has_no_memory = false;
	if (is_good)
		caller_fill(c);
	else
		c->out->cause = "its signature is wrong";
	c->has_no_memory = is_good && c->out->kind == CALLER_NONE;
}

/* The verdict is in *out. The flow is the check's own, or, where nothing had to be waited for, that
 * which asks. */
static enum flow_rc
jwt_check_end(struct flow *f, const struct jwt_check *c)
{
	if (c->has_no_memory)
		return flow_fail(f, ERR_OVERLOADED, ERR_NO_MEMORY, "what your token says");
	return f == &c->flow ? FLOW_DONE : FLOW_NEXT;
}

/* The verdict is in *out, unless there is a job now. */
static void
verify_with(struct jwt_check *c, enum jwk_choice choice, struct jwk_set *set, const struct jwk *key)
{
	static const char *const causes[] = {
		[JWK_UNKNOWN] = "its issuer has no such key",
		[JWK_UNFIT] = "its key is not of its algorithm, or that is not allowed",
		[JWK_AMBIGUOUS] = "it names no key, and its issuer has several",
	};

	if (choice != JWK_FOUND) {
		c->out->cause = causes[choice];
		return;
	}
	if (key->key != NULL && public_key_is_slow(key->key))
		c->job = signature_job_new(&c->token, set, key);
	if (c->job == NULL)
		judge_signature(c, jwt_signature_is_good(&c->token, key));
}

/* Whether a fetch is worth waiting for: there is no key to go on with, or it is an old one. */
static bool
is_worth_waiting(const struct keys_view *v, enum jwk_choice choice)
{
	if (!v->may_fetch && !v->is_fetching)
		return false;
	if (v->set == NULL || choice == JWK_UNKNOWN)
		return true;
	return !v->is_fresh && !v->has_failed;
}

/* True: the verdict is in *out, or to be computed. False: a fetch is to be waited for; or, where
 * `may_wait` is not set, there are no keys at all. */
static bool
check_with_keys(struct jwt_check *c, bool may_wait)
{
	const struct issuer *one = c->issuer;
	enum jwk_choice choice = JWK_UNKNOWN;
	const struct jwk *key = NULL;
	struct keys_view v;
	bool is_decided;

	issuer_keys_look(one->keys, &one->conf, clock_mono_us(), &v);
	c->retry_after_s = v.next_try_s;
	if (v.set != NULL)
		choice = jwk_choose(v.set, &c->token, &one->algorithms, &key);
	is_decided = v.set != NULL && (!may_wait || !is_worth_waiting(&v, choice));
	if (is_decided && may_wait && v.is_due && v.may_fetch)
		keys_fetch_begin(c->auth, c->issuers, one);
	if (is_decided)
		verify_with(c, choice, v.set, key);
	if (v.set != NULL)
		refs_give(&v.set->refs);
	return is_decided;
}

static bool
check_now(struct jwt_check *c)
{
	enum jwk_choice choice;
	const struct jwk *key;

	if (c->issuer->secret == NULL)
		return check_with_keys(c, true);
	choice = jwk_choose(c->issuer->secret, &c->token, &c->issuer->algorithms, &key);
	verify_with(c, choice, c->issuer->secret, key);
	return true;
}

static enum flow_rc
jwt_check_keys(struct flow *f)
{
	struct jwt_check *c = FLOW_OF(f, struct jwt_check, &jwt_check_kind);

	if (c->job != NULL)
		return flow_goto(f, jwt_check_compute);
	return keys_fetch_wait(f, c->auth, c->issuers, c->issuer, &c->waiter);
}

static enum flow_rc
jwt_check_verify(struct flow *f)
{
	struct jwt_check *c = FLOW_OF(f, struct jwt_check, &jwt_check_kind);
	struct err err = { 0 };

	if (check_with_keys(c, false))
		return c->job != NULL ? FLOW_NEXT : jwt_check_end(f, c);
	err.retry_after = (int)c->retry_after_s;
	err_set(&err, ERR_ISSUER,
	    "The keys with which your token is checked cannot be had from its issuer now. Try "
	    "again in %d s.",
	    err.retry_after);
	return flow_fail_err(f, &err);
}

/* An issuer's signatures take turns with other work by its name: a flood of forged ones with a slow
 * key holds up that issuer's users alone. */
static enum flow_rc
jwt_check_compute(struct flow *f)
{
	struct jwt_check *c = FLOW_OF(f, struct jwt_check, &jwt_check_kind);
	void *job = c->job;

	c->job = NULL;
	return offload_run(f, slice_str(c->issuer->conf.name), signature_job_run,
	    signature_job_free, job, &c->job);
}

static enum flow_rc
jwt_check_judge(struct flow *f)
{
	struct jwt_check *c = FLOW_OF(f, struct jwt_check, &jwt_check_kind);
	const struct signature_job *job = c->job;

	judge_signature(c, job->is_good);
	return jwt_check_end(f, c);
}

/* ---- the check ---- */

/* False: refused, and the cause is in *out. */
static bool
token_read(struct jwt_check *c, struct slice text)
{
	const char **why = &c->out->cause;
	const json_t *iss;

	if (!jwt_parse(text, &c->token, why) || !jwt_read_claims(&c->token, why))
		return false;
	iss = json_object_get(c->token.claims, "iss");
	c->issuer =
	    issuers_find(c->issuers, slice_of(json_string_value(iss), json_string_length(iss)));
	if (c->issuer == NULL)
		*why = "no section [issuer NAME] has its iss";
	else if (!jwa_list_has(&c->issuer->algorithms, c->token.alg))
		*why = "its alg is none of the issuer's algorithms";
	else
		return jwt_claims_judge(&c->token, &c->issuer->conf, clock_wall_us(), &c->sender,
		    why);
	return false;
}

static void
jwt_check_free(struct jwt_check *c)
{
	signature_job_free(c->job);
	jwt_free(&c->token);
	issuers_give(c->issuers);
	free(c);
}

static void
jwt_check_release(struct flow *f)
{
	jwt_check_free(FLOW_OF(f, struct jwt_check, &jwt_check_kind));
}

/* The common case, a key that is known, costs no flow and no wait. */
enum flow_rc
issuer_auth_check(struct flow *f, struct issuer_auth *a, struct slice text, struct caller *out)
{
	struct jwt_check *c;
	enum flow_rc rc;

	if (a == NULL)
		return FLOW_NEXT;
	c = xcalloc(1, sizeof(*c));
	c->auth = a;
	c->out = out;
	c->arena = f->arena;
	c->issuers = a->issuers;
	refs_take(&c->issuers->refs);
	if (token_read(c, text) && (!check_now(c) || c->job != NULL))
		return flow_call(f, &c->flow, &jwt_check_kind);
	rc = jwt_check_end(f, c);
	jwt_check_free(c);
	return rc;
}

/* ---- open, close ---- */

struct issuer_auth *
issuer_auth_open(struct worker *w, struct web *web)
{
	struct issuer_auth *a = xcalloc(1, sizeof(*a));

	a->worker = w;
	a->web = web;
	LIST_INIT(&a->fetches);
	return a;
}

void
issuer_auth_set(struct issuer_auth *a, struct issuers *issuers)
{
	struct issuers *before = a->issuers;

	refs_take(&issuers->refs);
	a->issuers = issuers;
	issuers_give(before);
}

void
issuer_auth_close(struct issuer_auth *a)
{
	if (a == NULL)
		return;
	issuers_give(a->issuers);
	free(a);
}
