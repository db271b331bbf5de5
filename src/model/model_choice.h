/* SPDX-License-Identifier: MIT */
/*
 * model_choice: the lists of models in the configuration ("gpt-4o, azure/gpt-4o-mini"), and which
 * of them a request may name. What stands before the first slash is a server's name only when there
 * is a server of that name: other names of models have slashes too. Private to model/.
 */
#ifndef TENANTGATE_MODEL_CHOICE_H
#define TENANTGATE_MODEL_CHOICE_H

#include "model/model_server.h"

/* Fills in the choices of `all`, whose servers are there. */
void model_choices_open(struct model_servers *all, const struct model_conf *);
void model_choices_close(struct model_servers *all);
/* A model that made vectors before, by its name of then: of the server that it named, if there is
 * one, or of model_url. False when it names a server that is there no more, or nothing. The caller
 * closes it. */
bool model_choice_open_former(struct model_servers *all, const struct model_conf *,
    const char *name, struct model_choice *out);
void model_choice_close(struct model_choice *);
/* The one that a request means by a name, as it is configured or without its server; NULL: it may
 * not name that. */
const struct model_choice *model_choice_find(const struct model_servers *, const char *name);
/* Whether it is one of chat_model, or of a list as models_allowed has it; NULL: an empty one. */
bool model_choice_listed(const struct model_servers *, const struct model_choice *,
    const char *list);
/* ERR_INVALID_FIELD with the models that may be named. */
void model_choice_refuse(const struct model_servers *, struct err *);

#endif
