/* SPDX-License-Identifier: MIT */
/*
 * model_habits: what a server was found not to take, model by model, for the life of the process;
 * and how one call finds it out.
 *
 * Compatible servers refuse (400, 422) fields that OpenAI knows, and large batches. A refused
 * request was not worked on and is not billed, so it is asked again in a plainer form
 * (trial_next()). What is remembered is for all tenants, while each of them chooses the texts that
 * a server may repeat in its refusals, so:
 *  - only the success of the plainer form teaches anything;
 *  - a refusal that names a field in words which the request's own texts hold too is tried, but
 *    teaches nothing, and neither does a value that the client chose (`unsure`);
 *  - one that names nothing is tried blindly only with fields that this model has not yet taken;
 *  - a batch never sinks below what was once taken, and only when all of its texts were embedded in
 *    the smaller ones: a text that is too long by itself teaches nothing.
 *
 * The habits are shared by all workers, under a lock held for a few instructions. A trial is its
 * call's.
 */
#ifndef TENANTGATE_MODEL_HABITS_H
#define TENANTGATE_MODEL_HABITS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

struct model_refusal;

/* What a request can do without, in the order in which it is guessed at: the least loss first. */
enum model_field {
	FIELD_OBFUSCATION,	/* stream_options.include_obfuscation */
	FIELD_STREAM_OPTIONS,	/* without it we count the tokens */
	FIELD_USER,
	FIELD_BASE64,		/* encoding_format: without it floats come as text */
	FIELD_TEMPERATURE,
	FIELD_SYSTEM_ROLE,	/* the text goes first in the first user turn instead */
	FIELD_MAX_TOKENS,	/* max_tokens, max_completion_tokens: the other one instead */
	FIELD_DOCUMENTS,	/* of a ranking: its texts are `texts` instead, with no model */
	MODEL_FIELDS
};
#define FIELD_BIT(field)	(1u << (field))

#define TRIALS_MAX		4	/* plainer forms that one call tries */
#define HABIT_MODELS_MAX	32	/* of one server; those beyond are not remembered */
#define HABIT_NAME_MAX		96	/* bytes of a name; longer ones are not remembered */

struct model_habit {
	char		 name[HABIT_NAME_MAX];
	unsigned	 without;	/* bits of fields that it refuses */
	unsigned	 taken;		/* and of those with which it has answered */
	size_t		 items;		/* texts of its batches at most; 0: not known */
	size_t		 bytes;		/* the same of their bytes */
	size_t		 items_taken;	/* the largest batch that it has embedded */
	size_t		 bytes_taken;
};

struct model_habits {
	pthread_mutex_t		 lock;
	unsigned		 count;
	struct model_habit	 models[HABIT_MODELS_MAX];
};

void		model_habits_init(struct model_habits *);
void		model_habits_free(struct model_habits *);
/* A copy of what is known of a model; of one that cannot be remembered every field counts as taken,
 * so that nothing is tried blindly again and again. */
void		model_habits_of(struct model_habits *, const char *model,
		    struct model_habit *out);
/* The request was answered: it had the fields `taken`, and not those of `without`. Returns which of
 * these were not known yet: for one line of the log. */
unsigned	model_habits_learn(struct model_habits *, const char *model, unsigned taken,
		    unsigned without);
/* A batch was embedded in one request. */
void		model_habits_batch_taken(struct model_habits *, const char *model,
		    size_t items, size_t bytes);
/* All texts of a batch that was refused were embedded, in requests of at most so many texts and
 * bytes (0: that was not the reason). Returns whether that is new. */
bool		model_habits_learn_batch(struct model_habits *, const char *model,
		    size_t items, size_t bytes);

/* The tries of one call. */
struct model_trial {
	unsigned	fields;		/* what the request may have, and may do without */
	unsigned	unsure;		/* of these: perhaps refused for the client's own value */
	unsigned	plain;		/* left out from the start: so it is configured */
	unsigned	taken;		/* from the habits: none of it is left out blindly */
	unsigned	without;	/* of the try under way; at first from the habits */
	unsigned	named;		/* of `without`: the refusal named it in its own words */
	unsigned	echoed;		/* of `without`: in words that the request holds too */
	unsigned	blind;		/* of `without`: the refusal named nothing */
	unsigned	blind_tried;	/* fields left out alone before */
	unsigned	refusals;
};

/* fields: what this request may have. Begins with what is known of the model. */
void		trial_begin(struct model_trial *, const struct model_habit *, unsigned fields,
		    unsigned unsure);
/* After a refusal: true when the request is worth another try, with trial.without changed. */
bool		trial_next(struct model_trial *, const struct model_refusal *);
/* No guess has helped: the request is whole again. */
void		trial_unguess(struct model_trial *);
/* And no guess was made: the request is another one now. */
void		trial_guess_anew(struct model_trial *);
/* After a success: what of `without` it has proved. */
unsigned	trial_proved(const struct model_trial *);

#endif
