/* SPDX-License-Identifier: MIT */
/*
 * fake_web: a web whose fetches the test plays. Linked in place of wire/web.
 */
#ifndef TESTS_STORY_FAKE_WEB_H
#define TESTS_STORY_FAKE_WEB_H

#include "tenantgate/wire/web.h"

typedef enum flow_rc fake_web_fn(struct flow *, const struct web_request *, struct web_response *);
extern fake_web_fn *fake_web_plays; /* a test that has none fetches nothing */

#endif
