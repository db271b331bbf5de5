/* SPDX-License-Identifier: MIT */
/*
 * model_former: models that made vectors before the configured one, and are asked for the questions
 * of tenants whose vectors are still theirs. They are named by tenants' databases, so a few at most
 * are known, each from the first time that it is asked for to the process's end.
 */
#include "model/model_choice.h"
#include "model/model_internal.h"

/* Under the lock. */
static const struct model_choice *
former_find(const struct model_servers *all, const char *name)
{
	for (unsigned i = 0; i < all->former_count; i++)
		if (strcmp(all->formers[i].name, name) == 0)
			return &all->formers[i];
	return NULL;
}

const struct model_choice *
model_former_choice(struct model *m, const char *name)
{
	struct model_servers *all = &m->shares->servers;
	const struct model_choice *found;

	pthread_mutex_lock(&all->formers_lock);
	found = former_find(all, name);
	if (found == NULL && all->former_count < MODEL_FORMERS_MAX &&
	    model_choice_open_former(all, &m->conf, name, &all->formers[all->former_count]))
		found = &all->formers[all->former_count++];
	pthread_mutex_unlock(&all->formers_lock);
	return found;
}

bool
model_knows_former(struct model *m, const char *name)
{
	return model_former_choice(m, name) != NULL;
}
