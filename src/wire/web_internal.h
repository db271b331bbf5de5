/* SPDX-License-Identifier: MIT */
/*
 * web_room: what the files of the HTTP client share. web.c drives libcurl from the loop,
 * web_transfer.c is the life of one transfer, web_easy.c asks (options), web_response.c listens
 * (header fields, failures).
 */
#ifndef TENANTGATE_WIRE_WEB_INTERNAL_H
#define TENANTGATE_WIRE_WEB_INTERNAL_H

#include <sys/queue.h>

#include <curl/curl.h>

#include "tenantgate/loop/timer.h"
#include "tenantgate/wire/web.h"

#define WEB_MAGIC	 0x57454254u /* "WEBT" */
#define WEB_HEADER_BYTES 65536	     /* of one answer, 1xx and trailers included */
#define WEB_DAY_S	 86400

struct web {
	struct worker *worker; /* borrowed */
	CURLM *multi;	       /* owned */
	CURLSH *share;	       /* owned: TLS sessions */
	struct timer timer;    /* libcurl's own */
	long timer_ms;	       /* libcurl's wish, -1: none; .. */
	bool timer_changed;       /* .. not yet heeded */
	bool driving;	       /* libcurl is called: its wish is looked at when it returns */
	char *ca_file;	       /* owned; NULL: the system's */
	char *user_agent;      /* owned */
	CURL *spare[32];       /* owned: easy handles at rest */
	unsigned spare_count;
	LIST_HEAD(, web_transfer) transfers;
	TAILQ_HEAD(, web_transfer) ready; /* libcurl has said something about them */
};

enum web_kind { WEB_WHOLE, WEB_STREAM };

enum web_state {
	WEB_REQUESTED, /* no final header block yet */
	WEB_BODY,
	WEB_ENDED, /* libcurl has let go; what it brought may still wait to be pulled */
};

enum web_waiting { WEB_NOBODY, WEB_FOR_HEADERS, WEB_FOR_PIECE, WEB_FOR_END };

struct web_transfer {
	unsigned magic;
	enum web_kind kind;
	enum web_state state;
	bool paused;		   /* the write callback refused; libcurl keeps the rest */
	bool ready;		   /* on web->ready */
	struct web *web;	   /* borrowed */
	CURL *easy;		   /* owned until WEB_ENDED */
	struct curl_slist *fields; /* owned until WEB_ENDED: request header lines */
	LIST_ENTRY(web_transfer) link;
	TAILQ_ENTRY(web_transfer) ready_link;

	enum web_waiting waiting;
	struct flow *flow;	   /* borrowed; set while waiting */
	struct web_transfer **out; /* borrowed; WEB_FOR_HEADERS */
	struct slice *piece;	   /* borrowed; WEB_FOR_PIECE */
	struct web_response *response; /* borrowed */
	struct buf arrived;	   /* owned: not yet pulled; ceiling response_max + one write */
	struct buf handed;	   /* owned: the piece last pulled */
	size_t response_max;
	size_t header_bytes;

	struct timer timer; /* the nearest of the deadlines below */
	uint64_t began_us;
	uint64_t last_data_us; /* the last piece, or our own unpausing */
	uint64_t first_byte_timeout_us;
	uint64_t idle_timeout_us;
	uint64_t total_timeout_us;
	char curl_error[CURL_ERROR_SIZE]; /* libcurl's words */
};

/* web.c */
CURL *web_easy_take(struct web *); /* NULL: no memory */
void web_easy_put_back(struct web *, CURL *);
bool web_add(struct web *, CURL *); /* web_go() is to follow */
void web_go(struct web *);	    /* what was added is asked now: not at the loop's next turn */

/* web_easy.c. False when an option was refused or there is no memory; t->trouble says why. */
bool web_easy_prepare(struct web_transfer *, const struct web_request *);

/* web_response.c */
size_t web_on_header(char *, size_t, size_t, void *transfer);
void web_response_end(struct web_transfer *, CURLcode); /* the easy handle is still there */
/* The first reason given is the one kept. */
void web_response_fail(struct web_response *, enum web_failure, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* web_transfer.c */
size_t web_on_write(char *, size_t, size_t, void *transfer);
void web_mark_ready(struct web_transfer *);	/* look at it after libcurl has returned */
void web_deliver(struct web_transfer *); /* wakes who waits for what has come */
void web_transfer_end(struct web_transfer *, CURLcode);

#endif
