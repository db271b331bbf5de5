/* SPDX-License-Identifier: MIT */
/*
 * ingest_form: what a form on the disk has in base64 (multipart.h), decoded into a second file, for
 * neither memory nor the form itself is the place for it. May wait for the disk.
 */
#ifndef API_INGEST_FORM_H
#define API_INGEST_FORM_H

#include "api/ingest_body.h"

/* Afterwards the bytes of such parts are ranges of the mapping of source->decoded; all others stay.
 * Without effect on a body in memory. False with err set. */
bool	ingest_form_decode(struct parts *, const struct ingest_source *, struct err *);

#endif
