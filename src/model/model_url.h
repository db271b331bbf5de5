/* SPDX-License-Identifier: MIT */
/*
 * model_url: the URL of a route of a model's server, from the base that is configured. Private to
 * model/.
 */
#ifndef TENANTGATE_MODEL_URL_H
#define TENANTGATE_MODEL_URL_H

#include "tenantgate/model.h"

/* base: "https://host/v1?key=value"; path: "/embeddings". The path goes before the base's query,
 * whether or not the base's own path ends in a slash, and `query` ("a=b", or NULL) behind it. For
 * the caller to free(). */
char *model_url_join(const char *base, const char *path, const char *query);
/* Of one route ("/embeddings") of a server and one of its models, which is a part of Azure's URLs
 * by deployment (Azure OpenAI REST API reference). For the caller to free(). */
char *model_url_of(const struct model_server_conf *, const char *route, const char *model);

#endif
