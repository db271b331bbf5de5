/* SPDX-License-Identifier: MIT */
/*
 * ingest_state: how far one document of POST /ingest is.
 *
 *	document:  [FRESH] --> [INTENDED] --> [SENT] --> [STORED] --> [LISTED]
 *	              \__________ same bytes ______________________^
 *
 * Moved by the steps of ingest.c, one document at a time, and read by ingest_end(): what a failure
 * leaves to be done depends on it.
 *
 *	FRESH		a document refused for what it is, is listed as failed
 *	LISTED		nothing
 *	INTENDED	the catalog's row is taken back: nothing was sent to the tenant's database
 *	SENT, STORED	the catalog's row is reconciled: the database knows whether it committed
 */
#ifndef API_INGEST_STATE_H
#define API_INGEST_STATE_H

enum document_state {
	DOCUMENT_FRESH,	   /* nothing was written anywhere */
	DOCUMENT_INTENDED, /* the catalog may have a row that says 'ingesting' */
	DOCUMENT_SENT,	   /* the tenant's database may have committed it */
	DOCUMENT_STORED,   /* it has */
	DOCUMENT_LISTED,   /* the catalog says 'ready' too */
};

#endif
