/* SPDX-License-Identifier: MIT */
/*
 * fake_handlers: in place of api/'s handlers: each only says that it was called, and ends the
 * exchange.
 */
#ifndef TESTS_UNIT_FAKE_HANDLERS_H
#define TESTS_UNIT_FAKE_HANDLERS_H

/* The function that was called last; NULL: none since the test cleared it. */
extern const char *handler_started;

#endif
