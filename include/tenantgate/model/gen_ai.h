/* SPDX-License-Identifier: MIT */
/*
 * gen_ai: what calls of models take, in the words of OpenTelemetry's semantic conventions for
 * clients of generative AI (https://github.com/open-telemetry/semantic-conventions-genai, in
 * development): one sample a request to a model, with all of its tries. Providers are told by their
 * hosts; the models are those of the configuration, so labels are few.
 */
#ifndef TENANTGATE_MODEL_GEN_AI_H
#define TENANTGATE_MODEL_GEN_AI_H

#include "tenantgate/loop/meter.h"
#include "tenantgate/model.h"

/* Labels: provider, operation, model, and error_type; of the tokens the last is their type, and the
 * two times have none. */
extern const struct meter_family gen_ai_duration;
extern const struct meter_family gen_ai_tokens;
extern const struct meter_family gen_ai_first_chunk;
extern const struct meter_family gen_ai_chunk;

/* The conventions' name for whoever runs the server of this URL; "openai" for one that is not
 * known, as they say of servers that speak OpenAI's protocol. Static. */
const char	*gen_ai_provider(const char *url);

/* The same of whoever is asked for a model, by its configured name. */
const char	*gen_ai_provider_of(const struct model *, const char *name);

/* How the breaker of a server is: of each kind of model that was asked of it. */
typedef void model_breaker_fn(const char *server, const char *kind, bool is_open, void *arg);
/* Any thread. */
void	model_breakers_each(const struct model *, model_breaker_fn *, void *arg);

#endif
